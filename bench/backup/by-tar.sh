#!/usr/bin/env bash
# What a person would type: snapshot FOLDER ARCHIVE, restore ARCHIVE FOLDER.
set -euo pipefail

keep_all=(--xattrs '--xattrs-include=*' --acls --numeric-owner)
case $1 in
  snapshot)
    tar --create --file=- --posix --sparse "${keep_all[@]}" --directory="$2" . |
      zstd -q -3 -T0 -c |
      tee >(sha256sum >"$3.sha256") >"$3"
    # bash waits for no process substitution by itself
    until [[ -s $3.sha256 ]]; do sleep 0.01; done
    ;;
  restore)
    zstd -d -q -c "$2" | tar --extract --file=- --preserve-permissions --same-owner "${keep_all[@]}" --directory="$3"
    ;;
esac
