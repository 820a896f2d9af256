#!/bin/bash
# Wave after wave, the containers of each at the same time, as people do it with xargs.
# usage: waves.sh NEW_IMAGE CONTAINER_PORT HELPER_IMAGE BACKUP_FOLDER WAVE...      a wave: lines of "CONTAINER HOST_PORT"
set -eu
image=$1 inside=$2 helper=$3 backups=$4
shift 4
for wave; do
  xargs -P 0 -L 1 "$(dirname "$0")/container.sh" "$image" "$inside" "$helper" "$backups" <<<"$wave"
done
