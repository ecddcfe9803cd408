"""Run by `store.migrate` on the connection that it hands over; there is no alembic.ini."""

from alembic import context

from ita_med.leaderboard.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
