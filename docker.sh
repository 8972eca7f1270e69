#!/bin/sh
# The verbs of manage.py in Docker: ./docker.sh VERB. On Windows: docker.bat, line for line the same; tests compare them.
# A verb is a function; what is written beside its name is its help. Its arguments are the verb and what follows it.
set -eu

verb_fresh() { # Delete all data of this project, build the image and start anew in the background.
    everything down --volumes --remove-orphans
    verb_build
    verb_start
}

verb_up() { # Run in the foreground with the log on the screen; Ctrl-C stops everything.
    compose up
}

verb_start() { # Run in the background; returns when the service is ready, else says why it is not.
    compose up -d
    ready
}

verb_stop() { # Stop the service and everything that belongs to it.
    everything stop
}

verb_restart() { # Stop, then start in the background.
    verb_stop
    verb_start
}

verb_status() { # Show every container with its state; exit status 1 if the service is not ready.
    compose ps
    compose exec -T web python -m catalog.health.probe
}

verb_logs() { # Show the log of all containers, or of one: logs web; -f goes on showing new lines.
    shift
    compose logs --tail=40 "$@"
}

verb_build() { # Build the image.
    compose build migrate
}

verb_clean() { # Stop, and delete this project's containers, networks and volumes; --yes does not ask.
    confirm "$@"
    everything down --volumes --remove-orphans
}

verb_test() { # Run the tests in parallel; arguments are pytest's.
    tests "$@"
}

verb_test_verbose() { # Run the tests, showing each HTTP request and response.
    tests "$@"
}

verb_test_debug() { # As test-verbose, and the last 50 lines of the server's log.
    tests "$@"
}

verb_demo() { # Walk through everything with real requests and answers; the service stays up.
    shift
    private_networks
    verb_start
    catalog demo --url http://web:5000 --shown "$url" --receiver cli "$@"
}

verb_init_db() { # Add 20 sample products; those that are there already are left as they are.
    catalog "$@"
}

verb_import() { # Import products from FILE into the running service: import FILE [OPTIONS]
    with_file "$@"
}

verb_export() { # Export the running service's products to FILE, or - for the screen: export FILE [OPTIONS]
    with_file "$@"
}

verb_backup() { # Write the whole database to FILE, as of one moment, while the service works.
    place "$@"
    compose exec -T postgres pg_dump --format=custom --no-owner --no-privileges >"$file.part"
    mv "$file.part" "$file"
}

verb_restore() { # Put what backup wrote to FILE into the empty database of the stopped service: restore FILE [--force]
    place "$@"
    catalog begin-restore ${3-}
    if ! compose exec -T postgres pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --dbname=connect_timeout=10 <"$file"; then
        catalog finish-restore --failed
        exit 1
    fi
    catalog finish-restore
}

verb_transform() { # Apply a transform: transform add 5 7; --list shows them all.
    alone "$@"
}

verb_webhooks() { # Webhooks: list, test, tail, replay, and receive, a receiver for trying things out.
    catalog "$@"
}

verb_orders() { # Orders: seed, consume, dead and requeue.
    catalog "$@"
}

verb_keys() { # The keys of the API.
    catalog "$@"
}

verb_users() { # The users of the console.
    catalog "$@"
}

verb_graphql() { # Open GraphiQL, a page for trying out GraphQL, in the browser.
    browse /graphql
}

verb_shell() { # Open a Python shell with the application loaded.
    catalog "$@"
}

verb_db() { # Migrations: db upgrade, db downgrade, db current, and all else of flask db.
    catalog "$@"
}

verb_routes() { # List every URL the service answers.
    alone "$@"
}

verb_help() { # List the verbs, one line each.
    echo "./docker.sh VERB"
    echo
    sed -n 's/^verb_\([a-z_]*\)() { # \(.*\)/\1 \2/p' "$script" | while read -r name text; do
        printf '  %-13s %s\n' "$(printf %s "$name" | tr _ -)" "$text"
    done
}

# What the verbs are made of.

compose() { # Run docker compose, whichever there is.
    $compose "$@"
}

everything() { # The same, with the services that are only started when asked for.
    compose --profile nginx --profile order-list --profile cli --profile test "$@"
}

catalog() { # Run a verb of manage.py in a container of its own, with PostgreSQL and Redis up.
    compose run --rm $tty --use-aliases cli "$@"
}

alone() { # The same, starting nothing else.
    compose run --rm $tty --no-deps cli "$@"
}

tests() { # Run the tests in the image that has what they need.
    compose build test
    compose run --rm $tty test "$@"
}

with_file() { # VERB FILE …: run a verb in a container that sees the folder of FILE.
    case ${2-} in '' | -*) alone "$@"; return ;; esac
    verb=$1
    name=$(basename -- "$2")
    folder=$(cd "$origin" && cd "$(dirname -- "$2")" && pwd)
    shift 2
    compose run --rm $tty --no-deps --user "$(id -u):$(id -g)" --volume "$folder:/files" cli "$verb" "/files/$name" "$@"
}

place() { # VERB FILE …: find FILE from where the command was given.
    if [ -z "${2-}" ]; then
        echo "Say which file: ./docker.sh $1 FILE" >&2
        exit 2
    fi
    case $2 in /*) file=$2 ;; *) file=$origin/$2 ;; esac
    umask 077 # a backup is for its owner alone
}

private_networks() { # Let webhooks call what runs in other containers, until the next start.
    export WEBHOOK_ALLOWED_NETWORKS=172.16.0.0/12,192.168.0.0/16,10.0.0.0/8
}

ready() { # Wait until the service is ready, and say where; else show the end of the log.
    if ! compose exec -T web python -m catalog.health.probe --wait 90; then
        compose logs --tail=20 migrate web
        exit 1
    fi
    published=$(compose port web 5000)
    url=http://$published
    loopback
    echo "$url/"
}

loopback() { # Stop an open service that is published for other machines, whatever an override file says.
    case $published in 127.* | \[::1\]:*) return ;; esac
    if compose exec -T web sh -c '[ $CATALOG_ENV = production ]'; then return; fi
    everything stop
    echo "The port is published on $published, and the service is open: set CATALOG_ENV=production or PUBLISH_ADDRESS=127.0.0.1." >&2
    exit 1
}

browse() { # Show an address of the service, and open it where there is a browser.
    url=http://$(compose port web 5000)$1
    echo "$url"
    for opener in xdg-open open; do
        if command -v $opener >/dev/null; then $opener "$url" >/dev/null 2>&1 || true; return; fi
    done
}

confirm() { # Ask before data is deleted, if there is someone to ask.
    if [ "${2-}" = --yes ] || [ ! -t 0 ]; then return; fi
    printf "Delete this project's containers and all their data? [y/N] "
    read -r answer
    case $answer in [yY]*) ;; *) exit 1 ;; esac
}

require_docker() { # Find Docker and its compose, or name the way without them.
    if ! docker info >/dev/null 2>&1; then refuse "Docker is not installed or not running" "$1"; fi
    tty=-T
    if [ -t 0 ] && [ -t 1 ]; then tty=; fi
    compose="docker compose"
    if docker compose version >/dev/null 2>&1; then return; fi
    compose=docker-compose
    if ! docker-compose version >/dev/null 2>&1; then refuse "Docker is here, but not its compose" "$1"; fi
}

refuse() {
    echo "$1. Without Docker: python3 manage.py $2" >&2
    exit 1
}

settle() { # Give this folder a project name and passwords of its own, kept in .env, which compose reads too.
    [ -e .env ] || (umask 077 && : >.env)
    setting COMPOSE_PROJECT_NAME "catalog-$(random 4)"
    setting POSTGRES_PASSWORD "$(random 16)"
    setting REDIS_PASSWORD "$(random 16)"
}

setting() { # Add NAME=VALUE to .env, unless it is there.
    grep -q "^ *$1=" .env || printf '\n%s=%s\n' "$1" "$2" >>.env
}

random() {
    od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

main() {
    verb=${1:-help}
    case $verb in -h | --help) verb=help ;; esac
    function=verb_$(printf %s "$verb" | tr - _)
    case $verb in *[!a-z-]*) function=none ;; esac
    if ! grep -q "^$function() { # " "$script"; then
        echo "There is no verb \`$verb\`. ./docker.sh help lists them." >&2
        exit 2
    fi
    if [ "$verb" != help ]; then
        require_docker "$verb"
        settle
    fi
    $function "$@"
}

origin=$PWD
cd "$(dirname -- "$0")"
script=$PWD/$(basename -- "$0")
main "$@"
