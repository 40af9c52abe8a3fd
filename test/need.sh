#!/bin/sh
# Makes sure that what a target needs is installed: gcc, postgresql, pgbouncer or node (20 or newer).
# Installs what is missing when it may (root on Debian); else says what to
# install, in one sentence, and fails.
set -eu

missing() {
	case $1 in
	gcc) ! command -v gcc >/dev/null && ! command -v cc >/dev/null ;;
	postgresql) ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
	pgbouncer) ! command -v pgbouncer >/dev/null && ! test -x /usr/sbin/pgbouncer ;;
	node) ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null ;;
	esac
}

packages() {
	case $1 in
	gcc) echo gcc libc6-dev ;;
	postgresql) echo postgresql ;;
	pgbouncer) echo pgbouncer ;;
	node) echo nodejs npm ;;
	esac
}

for thing in "$@"; do
	missing "$thing" || continue
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing $thing"
		{
			apt-get update
			# shellcheck disable=SC2046 # a list of packages
			DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(packages "$thing")
		} </dev/null >/dev/null || true
	fi
	if missing "$thing"; then
		echo "$thing is missing or too old; install it (on Debian: apt-get install $(packages "$thing")) and try again" >&2
		exit 1
	fi
done
