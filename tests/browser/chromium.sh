#!/bin/sh
# Prints where the Chromium is that the browser tests drive. On Debian, root gets one where there is none.
set -eu

find_chromium() {
    if [ -n "${CHROMIUM:-}" ]; then command -v "$CHROMIUM"; return; fi
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" && return
    done
    return 1
}

install_chromium() {
    echo "Installing Chromium (apt-get install chromium)" >&2
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } >&2
}

find_chromium && exit
if [ -z "${CHROMIUM:-}" ] && [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ]; then
    install_chromium && find_chromium && exit
fi
echo "The browser tests need Chromium${CHROMIUM:+, and there is none at $CHROMIUM}. On Debian and Ubuntu:" \
    "apt-get install chromium; elsewhere install it and name it: CHROMIUM=/path/to/chromium make test-browser" >&2
exit 1
