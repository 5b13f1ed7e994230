#!/bin/sh
# Copies the primary when it starts for the first time, and then runs as its standby.
set -eu
if [ ! -f "$PGDATA/standby.signal" ]; then
    # A copy that was interrupted.
    find "$PGDATA" -mindepth 1 -delete
    PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export PGPASSWORD
    pg_basebackup --host="${PRIMARY_HOST:-postgres}" --username=bucketlist --pgdata="$PGDATA" --write-recovery-conf --checkpoint=fast
fi
exec postgres
