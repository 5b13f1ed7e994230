#!/bin/sh
# Runs once, when the image creates the database: standbys in the network of the containers may connect.
set -eu
echo 'host replication all samenet scram-sha-256' >>"$PGDATA/pg_hba.conf"
