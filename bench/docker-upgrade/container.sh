#!/bin/bash
# The upgrade of a container as people do it by hand: stop, tar, run, wait until healthy. Its commands are those that Liftlock's steps
# come down to.
# usage: container.sh NEW_IMAGE CONTAINER_PORT HELPER_IMAGE BACKUP_FOLDER CONTAINER HOST_PORT      its data: the volume of its name
set -eu
image=$1 inside=$2 helper=$3 backups=$4 container=$5 port=$6
# the helper image has this machine's tools, started by their own loader
loader=$(basename "$(ldd "$(command -v tar)" | sed -n 's#^[[:space:]]*\(/[^ ]*\) (.*#\1#p')")
tool="/.liftlock/lib/$loader --library-path /.liftlock/lib /.liftlock/bin"
docker stop "$container" >/dev/null
docker run --rm --network none --volumes-from "$container" --entrypoint "/.liftlock/lib/$loader" "$helper" \
  --library-path /.liftlock/lib /.liftlock/bin/sh -c \
  "$tool/tar --create --format=posix --xattrs --acls --sparse --numeric-owner -C / data | $tool/zstd -3 -T0 -q" >"$backups/$container.tar.zst"
docker rename "$container" "$container-old"
docker run -d --name "$container" -p "127.0.0.1:$port:$inside" -v "$container:/data" "$image" >/dev/null
# what curl would do, with nothing to install
version() { exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /version HTTP/1.0\r\n\r\n' >&3 && tail -n 1 <&3; }
until [ "$(version 2>/dev/null)" = 2.0 ]; do sleep 0.05; done
docker rm "$container-old" >/dev/null
