#!/bin/sh
# Brings sqlmap, an attacker that is not ours, from Debian, when this user may. Elsewhere that test says why it is skipped.
command -v sqlmap >/dev/null 2>&1 && exit 0
command -v apt-get >/dev/null 2>&1 || exit 0
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else exit 0; fi
echo "installing sqlmap for the nightly tests"
export DEBIAN_FRONTEND=noninteractive
{ $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends sqlmap; } >/dev/null 2>&1 \
  || echo "sqlmap could not be installed"
