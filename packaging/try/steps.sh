#!/bin/bash
# The package as an operator meets it, under a systemd that runs: `cargo xtask package --try` boots a
# Debian machine for it and runs this there, as root. Nothing of the machine is kept.
#
# Each step is a function, called after what it shows, and runs after those above it. It fails with the
# first of its commands that fails. /try holds old.deb and new.deb, the same program under two versions.
set -uo pipefail

FILE=/etc/forebay/forebay.toml

# What systemd knows of the service.
shown() { systemctl show --property="$1" --value forebay; }

# The command must fail.
fails() {
    if "$@"; then
        echo "did not fail: $*"
        return 1
    fi
}

# Waits until a command succeeds, for a minute at most.
until_true() {
    for _ in $(seq 600); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "never true: $*"
    return 1
}

# The text must be in what the command prints, however it ends.
says() {
    local text=$1 said
    shift
    said=$("$@" 2>&1) || true
    [[ $said == *"$text"* ]] && return 0
    printf 'no "%s" in what `%s` says:\n%s\n' "$text" "$*" "$said"
    return 1
}

# The text must come into the journal of the service since the step began.
journal_says() { until_true says "$1" journalctl --unit=forebay --output=cat --since="@$BEGUN" --no-pager ||
    { journalctl --unit=forebay --since="@$BEGUN" --no-pager; return 1; }; }

# Asks without a pause, each on a connection of its own, until the file is gone; counts what failed.
load() {
    local place=$1 asked=0 failed=0
    touch /tmp/load
    while [ -e /tmp/load ]; do
        curl --silent --fail --max-time 40 --output /dev/null "http://$place/$((asked % 50))" || failed=$((failed + 1))
        asked=$((asked + 1))
    done
    echo "$asked asked, $failed failed" >/tmp/loaded
}

# Ends the load; it must have asked, and nothing may have failed.
unharmed() {
    rm -f /tmp/load
    wait "$LOAD"
    cat /tmp/loaded
    grep -q '^[1-9][0-9]* asked, 0 failed$' /tmp/loaded
}

configure() { cat >"$FILE"; }

the_package_installs_and_starts_nothing() {
    apt-get install --yes --quiet --quiet /try/old.deb
    fails systemctl --quiet is-active forebay
    fails systemctl --quiet is-enabled forebay
    id forebay
    [ "$(stat --format='%U:%G %a' /etc/forebay)" = "root:forebay 750" ]
    fails runuser --user=nobody cat "$FILE"
}

the_service_is_started_when_it_serves() {
    systemctl enable --now forebay
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/
    says 'forebay; hit' curl --silent --include http://127.0.0.1:8080/
    says 'active (running)' systemctl status forebay
    says 'Status: "serving, process' systemctl status forebay
    journal_says 'listens on  127.0.0.1:8080'
    [ "$(stat --format=%U "/proc/$(shown MainPID)")" = forebay ]
}

systemd_has_nothing_to_complain_of() {
    says 'listens on' journalctl --unit=forebay --output=cat --no-pager
    [ -z "$(journalctl --quiet --unit=forebay --priority=warning --output=cat --no-pager)" ]
    systemd-analyze verify --man=no forebay.service
    systemd-analyze security --no-pager --threshold=20 forebay.service
}

commands_of_root_find_the_service_and_others_are_told_what_they_lack() {
    forebay ready
    says 'is in force' forebay purge --all --yes
    says 'it would be' forebay why http://127.0.0.1:8080/
    says 'token' runuser --user=nobody -- forebay purge --all --yes
    says 'forebay_exchanges_total' curl --silent http://127.0.0.1:8081/metrics
}

a_reload_is_taken_and_a_wrong_file_fails_it() {
    local main
    main=$(shown MainPID)
    sed --in-place 's/^stale = .*/stale = "90s"/' "$FILE"
    systemctl reload forebay
    journal_says 'reloaded'
    sed --in-place 's/^stale = /stal = /' "$FILE"
    fails systemctl reload forebay
    until_true says 'did you mean `stale`?' systemctl status --no-pager forebay
    systemctl --quiet is-active forebay
    [ "$(shown MainPID)" = "$main" ]
}

a_wrong_file_at_the_start_is_told_once_and_not_tried_again() {
    fails systemctl restart forebay
    until_true says 'did you mean `stale`?' systemctl status --no-pager forebay
    systemctl --quiet is-failed forebay
    [ "$(shown NRestarts)" = 0 ]
    sed --in-place 's/^stal = /stale = /' "$FILE"
    systemctl start forebay
    forebay ready
}

a_taken_port_is_told_and_waited_for() {
    systemctl stop forebay
    systemd-run --quiet --unit=taken python3 /try/origin.py 8080
    until_true curl --silent http://127.0.0.1:8080/
    fails systemctl start forebay
    until_true says 'cannot listen on 127.0.0.1:8080: the address is in use' systemctl status --no-pager forebay
    # Longer than systemd would go on trying by itself.
    until_true tried_ten_times
    systemctl stop taken
    until_true forebay ready
}
tried_ten_times() { [ "$(shown NRestarts)" -ge 10 ]; }

low_ports_and_a_disk_that_stays_warm() {
    configure <<'TOML'
listen = ["0.0.0.0:80", "[::]:80"]

[disk]
path = "/var/cache/forebay"
size = "64MiB"

[[route]]
to = "http://127.0.0.1:3000"
TOML
    systemctl restart forebay
    says '; stored' curl --silent --include http://127.0.0.1/warm
    says 'forebay; hit' curl --silent --include http://127.0.0.1/warm
    systemctl restart forebay
    says 'forebay; hit; ttl=' curl --silent --include http://127.0.0.1/warm
    says '; stored' curl --silent --include 'http://[::1]/warm'
    systemctl kill --signal=KILL forebay
    until_true curl --silent --fail http://127.0.0.1/warm
    says 'forebay; hit' curl --silent --include http://127.0.0.1/warm
}

a_newer_package_takes_over_and_no_request_is_lost() {
    local main
    systemctl restart forebay
    main=$(shown MainPID)
    load 127.0.0.1 & LOAD=$!
    until_true test -e /tmp/load
    apt-get install --yes --quiet --quiet /try/new.deb
    until_true is_another "$main"
    unharmed
    systemctl --quiet is-active forebay
    [ "$(shown NRestarts)" = 0 ]
    says 'listens on  0.0.0.0:80' journalctl --unit=forebay --output=cat --no-pager
    # It is a service as any other still.
    systemctl restart forebay
    forebay ready
}
is_another() { [ "$(shown MainPID)" != "$1" ] && [ "$(shown MainPID)" != 0 ] && [ ! -e "/proc/$1" ]; }

a_newer_package_beside_a_wrong_file_leaves_the_old_process() {
    local main
    main=$(shown MainPID)
    cp "$FILE" /tmp/good.toml
    echo 'lisen = 1' >"$FILE"
    apt-get install --yes --quiet --quiet --reinstall /try/new.deb
    journal_says 'cannot upgrade to'
    [ "$(shown MainPID)" = "$main" ]
    curl --silent --fail --output /dev/null http://127.0.0.1/
    cp /tmp/good.toml "$FILE"
}

a_socket_of_systemd_loses_nobody_while_the_service_restarts() {
    configure <<'TOML'
[[route]]
to = "http://127.0.0.1:3000"
TOML
    systemctl stop forebay
    cp /usr/share/doc/forebay/examples/forebay.socket /etc/systemd/system/
    systemctl daemon-reload
    systemctl enable --now forebay.socket
    fails systemctl --quiet is-active forebay
    # The first client starts the service.
    curl --silent --fail --max-time 40 --output /dev/null http://127.0.0.1:8080/
    systemctl --quiet is-active forebay
    load 127.0.0.1:8080 & LOAD=$!
    for _ in 1 2 3; do
        sleep 1
        systemctl restart forebay
    done
    sleep 1
    unharmed
    systemctl disable --now forebay.socket forebay
    rm /etc/systemd/system/forebay.socket
    systemctl daemon-reload
}

the_access_log_is_rotated_and_goes_on() {
    configure <<'TOML'
access_log = "text"
access_log_file = "/var/log/forebay/access.log"

[[route]]
to = "http://127.0.0.1:3000"
TOML
    systemctl start forebay
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/before
    until_true grep --quiet /before /var/log/forebay/access.log
    logrotate --force /etc/logrotate.d/forebay
    journal_says 'opened the access log again'
    curl --silent --fail --output /dev/null http://127.0.0.1:8080/after
    until_true grep --quiet /after /var/log/forebay/access.log
    grep --quiet /before /var/log/forebay/access.log.1
}

what_the_sandbox_forbids_is_told_with_its_path() {
    configure <<'TOML'
[disk]
path = "/data/cache"
size = "64MiB"

[[route]]
to = "http://127.0.0.1:3000"
TOML
    mkdir --parents /data/cache
    chown forebay: /data/cache
    fails systemctl restart forebay
    until_true says '/data/cache' systemctl status --no-pager forebay
    mkdir --parents /etc/systemd/system/forebay.service.d
    printf '[Service]\nReadWritePaths=/data/cache\n' >/etc/systemd/system/forebay.service.d/disk.conf
    systemctl daemon-reload
    systemctl restart forebay
    says '; stored' curl --silent --include http://127.0.0.1:8080/data
    rm -r /etc/systemd/system/forebay.service.d
    systemctl daemon-reload
}

too_little_memory_is_told_at_the_start() {
    if ! grep --quiet --word-regexp memory /sys/fs/cgroup/cgroup.controllers; then
        echo 'NOT TRIED: this machine lets nobody bound memory'
        return 0
    fi
    configure <<'TOML'
memory = "256MiB"

[[route]]
to = "http://127.0.0.1:3000"
TOML
    systemctl set-property --runtime forebay MemoryMax=100M
    systemctl restart forebay
    journal_says 'the container or service has 100 MiB; lower `memory`'
    systemctl set-property --runtime forebay MemoryMax=infinity
}

doctor_says_what_is_wrong_here() {
    configure <<'TOML'
memory = "1TiB"

[[route]]
to = "http://127.0.0.1:3000"
TOML
    says '`memory` is 1TiB' forebay doctor --config "$FILE"
}

a_purge_leaves_nothing_behind() {
    apt-get purge --yes --quiet --quiet forebay
    fails systemctl --quiet is-active forebay
    fails pidof forebay
    for left in /etc/forebay /var/cache/forebay /var/lib/forebay /var/log/forebay /run/forebay \
        /etc/logrotate.d/forebay /usr/bin/forebay; do
        [ ! -e "$left" ] || { echo "$left is left"; return 1; }
    done
    fails systemctl cat forebay
}

STEPS=(
    the_package_installs_and_starts_nothing
    the_service_is_started_when_it_serves
    systemd_has_nothing_to_complain_of
    commands_of_root_find_the_service_and_others_are_told_what_they_lack
    a_reload_is_taken_and_a_wrong_file_fails_it
    a_wrong_file_at_the_start_is_told_once_and_not_tried_again
    a_taken_port_is_told_and_waited_for
    low_ports_and_a_disk_that_stays_warm
    a_newer_package_takes_over_and_no_request_is_lost
    a_newer_package_beside_a_wrong_file_leaves_the_old_process
    a_socket_of_systemd_loses_nobody_while_the_service_restarts
    the_access_log_is_rotated_and_goes_on
    what_the_sandbox_forbids_is_told_with_its_path
    too_little_memory_is_told_at_the_start
    doctor_says_what_is_wrong_here
    a_purge_leaves_nothing_behind
)

systemd-run --quiet --unit=origin python3 /try/origin.py 3000
until_true curl --silent --fail http://127.0.0.1:3000/
failed=0
for step in "${STEPS[@]}"; do
    BEGUN=$(date +%s)
    # Not within a condition, where bash would go on after a command that fails.
    (set -ex; "$step") >/tmp/said 2>&1
    if [ $? = 0 ]; then
        echo "ok      ${step//_/ }"
        grep '^NOT TRIED' /tmp/said
    else
        failed=$((failed + 1))
        echo "FAILED  ${step//_/ }"
        tail --lines=40 /tmp/said | sed 's/^/    /'
    fi
done
echo "$((${#STEPS[@]} - failed)) passed, $failed failed"
exit $((failed > 0))
