#!/usr/bin/env bash
# The demo: a relay and an agent as two processes, one recipe, one dropped file, rows in a database.
# demo.sh BIN_DIRECTORY [--keep]; started by ./dev demo.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
keep=${2:-}
rows=3000
world=$(mktemp -d /tmp/sallyport-demo.XXXXXX)
export XDG_CONFIG_HOME=$world/config
# Everything is on this machine: no login of the caller's shell, no proxy.
unset SALLYPORT_RELAY SALLYPORT_TOKEN http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY

say() { printf '\n\033[1m==>\033[0m %s\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; }

stop() {
  local status=$?
  trap - EXIT INT TERM HUP
  trap '' PIPE
  [ -z "${agent_pid:-}" ] || kill -TERM "$agent_pid" 2>/dev/null || true
  [ -z "${relay_pid:-}" ] || kill -TERM "$relay_pid" 2>/dev/null || true
  wait 2>/dev/null || true
  if [ "$status" -ne 0 ]; then
    printf '\nThe demo failed. Logs:\n'
    tail -n 15 "$world"/relay.log "$world"/agent.log 2>/dev/null || true
  fi
  rm -rf "$world"
  exit "$status"
}
trap stop EXIT INT TERM HUP PIPE

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "demo: $what did not happen in time" >&2; exit 1; }
    sleep 0.1
  done
}

say "A relay: data directory, deployment CA, first owner"
api=127.0.0.1:$(free_port)
link=127.0.0.1:$(free_port)
"$bin/sallyport-relay" init --data "$world/relay" --organisation demo --owner owner@demo.example \
  --api "$api" --link "$link" --token-file "$world/owner.token"
"$bin/sallyport-relay" serve --data "$world/relay" >"$world/relay.log" 2>&1 &
relay_pid=$!
export SALLYPORT_ROOT=$world/relay/deployment/root.pem
wait_for 20 "the relay" curl -sf --cacert "$SALLYPORT_ROOT" "https://$api/readyz"
"$bin/sallyport" login --relay "https://$api" --root "$SALLYPORT_ROOT" <"$world/owner.token"

say "An agent: its own configuration and policy, enrolled with one string"
cp -r "$here/agent" "$world/agent"
chmod -R go-w "$world/agent" # whoever can write these files decides what the agent does: it refuses them otherwise
mkdir -p "$world/agent/share/in" "$world/agent/share/done"
sqlite3 "$world/agent/erp.db" 'create table orders (id integer primary key, customer text, city text, total text, note text)'
"$bin/sallyport" group create dc1
show "sallyport agent token create --group dc1"
"$bin/sallyport" agent token create --group dc1 -o json >"$world/token.json"
python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["enrolment_string"])' "$world/token.json" |
  "$bin/sallyport-agent" enrol --config "$world/agent" -
rm "$world/token.json"
"$bin/sallyport-agent" run --config "$world/agent" >"$world/agent.log" 2>&1 &
agent_pid=$!
is_linked() { "$bin/sallyport" agent list -o json | python3 -c 'import json, sys; sys.exit(not any(a.get("link") for a in json.load(sys.stdin)["items"]))'; }
wait_for 20 "the agent's link" is_linked
"$bin/sallyport" agent list

say "A recipe, applied and active"
show "sallyport recipes apply -f recipe.yaml --activate"
"$bin/sallyport" recipes apply -f "$here/recipe.yaml" --activate

say "A file with $rows orders is dropped into the watched folder"
"$here/make-orders.py" "$rows" >"$world/orders.csv"
mv "$world/orders.csv" "$world/agent/share/in/orders.csv"
has_job() { "$bin/sallyport" jobs list -o json | python3 -c 'import json, sys; sys.exit(not json.load(sys.stdin)["items"])'; }
wait_for 30 "the job" has_job
job=$("$bin/sallyport" jobs list -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["items"][0]["id"])')
show "sallyport jobs watch $job"
"$bin/sallyport" jobs watch "$job"

say "What arrived in the database"
arrived=$(sqlite3 "$world/agent/erp.db" 'select count(*) from orders')
sqlite3 -header -column "$world/agent/erp.db" \
  "select id, customer, city, total, replace(replace(note, char(13), ''), char(10), ' / ') as note from orders where id in (1, 2, 3, 11, 12, 3000)"
echo "$arrived of $rows rows; the file is now in $(cd "$world/agent/share" && ls done/*)"
[ "$arrived" = "$rows" ]

if [ "$keep" = --keep ]; then
  say "Kept up. Relay https://$api, drop files into $world/agent/share/in"
  echo "unset SALLYPORT_RELAY SALLYPORT_TOKEN"
  echo "export XDG_CONFIG_HOME=$XDG_CONFIG_HOME SALLYPORT_ROOT=$SALLYPORT_ROOT PATH=$bin:\$PATH"
  echo "$here/make-orders.py 100 >$world/agent/share/in/second.csv    # the same file again is no new event"
  echo "Ctrl-C stops both and removes $world"
  wait
else
  say "Done. ./dev demo --keep leaves it running for you to play with"
fi
