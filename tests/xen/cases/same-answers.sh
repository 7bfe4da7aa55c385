# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, "pocketxen held against Xen": what Xen's libraries answer here; the
# same program runs on pocketxen in `make test`.
feature one-domain
sh_run 'observe self 2>/dev/null | sed "s/^/: /"'

feature two-domains
EXTRA="mods=none" guest_create g1
run xenstore-write /local/domain/0/eg-secret 1
guest g1 '(observe guest >/tmp/guest.txt 2>/dev/null) & sleep 2; sed "s/^/: /" /tmp/guest.txt >/tmp/shown; cat /tmp/shown'
id=$(domid g1)
observe death "$id" >/tmp/death.txt 2>/dev/null &
death=$!
wait_for "grep -q 'now: destroy the guest' /tmp/death.txt"
run xl destroy g1
wait_for "! kill -0 $death" 60
sh_run 'sed "s/^/: /" /tmp/death.txt'
wait_for "! xl list $id" 30
run xenstore-rm /local/domain/0/eg-secret
