#!/bin/sh
# Starts the board. With PostgreSQL (ITA_MED_DB=postgresql://…) that is all. An SQLite file lies on the container's own
# disk, because storage that is mounted over a network takes no locks: it is restored from the newest copy in
# $DATA/backups, and copied there whenever it has changed, every $BACKUP_SECONDS and at the end.
set -eu
export ITA_MED_DB="${ITA_MED_DB:-$HOME/board.sqlite}"
if [ -z "${ITA_MED_MIRROR:-}" ] && [ -d "$DATA/mirror" ]; then
    export ITA_MED_MIRROR="$DATA/mirror"
fi

keep() {
    copy="$HOME/copy.sqlite"
    rm -f "$copy"
    ita-med leaderboard backup "$copy" >/dev/null || return 0
    newest=$(ls -1 "$DATA"/backups/board-*.sqlite 2>/dev/null | tail -n 1)
    if [ -z "$newest" ] || ! cmp -s "$copy" "$newest"; then
        cp "$copy" "$DATA/backups/.part"
        mv "$DATA/backups/.part" "$DATA/backups/board-$(date -u +%Y%m%dT%H%M%SZ).sqlite"
        ls -1 "$DATA"/backups/board-*.sqlite | head -n -"${BACKUPS_KEPT:-48}" | xargs -r rm -f
    fi
    rm -f "$copy"
}

case "$ITA_MED_DB" in
*://*) exec ita-med leaderboard serve --host "$HOST" --port "$PORT" ;;
esac
if [ ! -d "$DATA" ] || ! mkdir -p "$DATA/backups" 2>/dev/null; then
    echo "ita-med: $DATA cannot be written; accounts and submissions would be lost with the container" >&2
    exit 1
fi
newest=$(ls -1 "$DATA"/backups/board-*.sqlite 2>/dev/null | tail -n 1)
if [ ! -e "$ITA_MED_DB" ] && [ -n "$newest" ]; then
    ita-med leaderboard restore "$newest" --db "$ITA_MED_DB"
fi
ita-med leaderboard serve --host "$HOST" --port "$PORT" &
server=$!
(while sleep "${BACKUP_SECONDS:-300}"; do keep; done) &
backups=$!
trap 'kill -TERM "$server"' TERM INT
code=0
wait "$server" || code=$?
if kill -0 "$server" 2>/dev/null; then wait "$server" || code=$?; fi
kill "$backups" 2>/dev/null || true
keep
exit "$code"
