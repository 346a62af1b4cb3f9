#!/bin/sh
# Brings wrk, the independent client that our figures are compared with, from Debian, when this user may. Elsewhere that test
# says why it is skipped.
command -v wrk >/dev/null 2>&1 && exit 0
command -v apt-get >/dev/null 2>&1 || exit 0
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else exit 0; fi
echo "installing wrk for the load tests"
export DEBIAN_FRONTEND=noninteractive
{ $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends wrk; } >/dev/null 2>&1 \
  || echo "wrk could not be installed"
