#!/usr/bin/env bash
# ./dev without installing or building anything: Debian's commands are replaced by ones that only tell what they were asked.
set -euo pipefail
cd "$(dirname "$0")/.."

stubs=$(mktemp -d)
trap 'rm -rf "$stubs"' EXIT
failed=0

stub() {
  printf '#!/bin/sh\n%s\n' "$2" >"$stubs/$1"
  chmod +x "$stubs/$1"
}
# run COMMAND...: its output in $out, its exit code in $code; nothing is built where this points.
run() {
  code=0
  out=$(PATH=$stubs:$PATH SALLYPORT_BUILD_DIR=$stubs/build "$@" 2>&1 </dev/null) || code=$?
}
expect() {
  local what=$1
  shift
  "$@" || { printf 'FAILED: %s\n  exit code %s, output:\n%s\n' "$what" "$code" "$out" >&2; failed=1; }
}
says() { grep -qF -- "$1" <<<"$out"; }
quiet_about() { ! says "$1"; }
is() { [ "$1" = "$2" ]; }

stub dpkg-query 'exit 1'
stub apt-get 'echo "apt-get $*"'
stub sudo 'shift 0; exec "$@"'
stub cmake 'echo "cmake ran"; exit 1'

run ./dev fuzz 10 nosuch
expect "an unknown fuzz target is refused" is "$code" 1
expect "... naming what there is" says "no fuzz target 'nosuch'; there are: json"
expect "... before anything is installed" quiet_about apt-get
for target in tests/fuzz/*_fuzz.cc; do
  expect "... all of it" says " $(basename "$target" _fuzz.cc)"
done
run ./dev fuzz soon
expect "seconds are a number" is "$code" 1

run ./dev setup
expect "setup tells each phase where nobody looks at a terminal" says "Fetching the package lists"
expect "... download" says "Downloading"
expect "... unpack" says "Unpacking and configuring"
expect "... and no server that only benchmarks compare with" quiet_about "stunnel4"
run script -qec "./dev setup" /dev/null
expect "on a terminal apt shows its own progress" says "apt-get install -y --no-install-recommends -o Dpkg::Progress-Fancy=1"

run ./dev build
expect "without the source of libssh2 nothing is built" is "$code" 1
expect "... and it says what is missing" says "libssh2 1.11.1 could not be fetched"
expect "... and leaves no half of it" is "$(ls "$stubs/build/sources")" ""
mkdir -p "$stubs/build/sources/libssh2/include" && touch "$stubs/build/sources/libssh2/include/libssh2.h"
run ./dev build
expect "a failed configuration shows what cmake said" says "cmake ran"
expect "... and fails" is "$code" 1

run cat dev
expect "no file of a name that others can guess" quiet_about "/tmp/"

run sed -n 's/^\(\.\/dev .*\)/\1/p' .ci/run
expect "CI runs ./dev test and nothing else" is "$out" "./dev test"
run ./dev help
expect "the help says what that is" says "everything CI runs: formatting, layers"

run ./dev lint nosuchref
expect "a base that is no commit is refused" is "$code" 1
expect "... by name" says "there is no commit 'nosuchref'"
run ./dev demo --kep
expect "a misspelt option does not run the demo" says "takes nothing but --keep, and got: --kep"
run ./dev setup --foo
expect "setup takes no arguments" is "$code" 1

stub ninja 'printf "%s\n" "ninja: Entering directory" "[0/2, 0.1s] Re-checking globbed directories..." "ninja: no work to do."'
mkdir -p "$stubs/build/dev" && touch "$stubs/build/dev/build.ninja"
stub dpkg-query 'echo installed'
run ./dev build
expect "nothing to build is nothing to say" is "$out" ""
stub ninja 'printf "%s\n" "[1/2, 0.1s] Building a" "FAILED: a" "a.cc:1: error: b"; exit 1'
run ./dev build
expect "a failed step fails the build" is "$code" 1
expect "... and is shown whole" says "a.cc:1: error: b"

stub ninja 'true'
stub ctest 'echo "ctest $*; ${SALLYPORT_RELAY:-}${SALLYPORT_TOKEN:-}${SALLYPORT_ROOT:-}; $no_proxy; $NO_PROXY"; exit 8'
for word in "check -R nosuch" "faults"; do
  run env SALLYPORT_RELAY=here SALLYPORT_TOKEN=here SALLYPORT_ROOT=here no_proxy=example.com NO_PROXY= ./dev $word
  expect "./dev $word: no test found is no success" is "$code" 8
  expect "... which ctest is asked for" says "--no-tests=error"
  expect "... without the login of the caller's shell" quiet_about "here"
  expect "... and no proxy between what runs on this machine" says "; 127.0.0.1,localhost,example.com; 127.0.0.1,localhost"
done

run ./dev nonsense
expect "an unknown word is refused" is "$code" 1
exit $failed
