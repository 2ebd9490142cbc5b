#!/bin/sh
# Whether the process of this container goes on with its work: each of its loops touches a file.
# With --or-end one that does not is killed, because Docker restarts only what has ended.
limit=10
[ -e "$HEARTBEAT_FILE" ] || exit 1
now=$(date +%s)
for file in "$HEARTBEAT_FILE" "$HEARTBEAT_FILE".*; do
    [ -e "$file" ] || continue
    silent=$((now - $(stat -c %Y "$file")))
    if [ "$silent" -gt "$limit" ]; then
        echo "$file: no sign of life for $silent s"
        [ "$1" = --or-end ] && kill -9 "$(cat "$HEARTBEAT_FILE")"
        exit 1
    fi
done
