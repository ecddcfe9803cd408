"""Maps the top-level folders to packages of `ita_med`; everything else about the package is in pyproject.toml."""

from setuptools import find_packages, setup

package_dir = {"ita_med": "ita_med", "lm_eval.tasks.ita_med": "tasks/lm_eval"}
packages = ["ita_med", "ita_med.borrowed", "ita_med.figures", "lm_eval.tasks.ita_med"]
for room in ("dataset_builders", "tasks", "training", "leaderboard"):
    package_dir[f"ita_med.{room}"] = room
    packages += [f"ita_med.{room}", *(f"ita_med.{room}.{name}" for name in find_packages(room))]

setup(
    packages=packages,
    package_dir=package_dir,
    package_data={
        "ita_med": ["*.toml", "py.typed"],
        "ita_med.dataset_builders.datasets": [
            f"*/{file}" for file in ("card.md", "SHA256SUMS", "counts.json", "sample/**")
        ],
        "ita_med.tasks": ["lm_eval/*.yaml", "reference.toml", "floors.json"],
        "lm_eval.tasks.ita_med": ["*.yaml"],
        "ita_med.training": ["recipes/*/*.yaml"],
        "ita_med.leaderboard": ["deploy/*", "demo_runs/**"],
        "ita_med.leaderboard.pages": ["templates/*.html", "static/*", "prose/*.md"],
    },
)
