#!/bin/bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/daemon.sh"

talk() {
        "$TOOLS/it-daemon-talk" "$EVERGRANT_SOCKET" "$@"
}

answer() {
        printf '%s\n' "$1" | talk lines
}

start_pocketxen
px create --mem 32M g1 >/dev/null
start_daemon
eg attach g1 xvda ram:4M >/dev/null
assert_eq "$(stat -c %a "$EVERGRANT_SOCKET")" 600 "mode of the socket"
assert_eq "$(answer '{"version":1,"command":"ping"}')" '{"version":1,"ok":true}'
for bad in '{"version":1,"command":"nope"}:unknown command' \
        '{"version":1,"command":"ping","x":1}:has no field' \
        '{"version":2,"command":"ping"}:version 1' '[]:one JSON object' \
        'garbage:one JSON object' ':one JSON object' \
        '{"version":1,"command":"stat","domain":"zz"}:no domain called' \
        '{"version":1,"command":"stat","domain":9}:no such disk' \
        '{"version":1,"command":"stat","vdev":-1}:vdev' \
        '{"version":1,"command":"resize","domain":1,"vdev":51712}:size_bytes' \
        '{"version":1,"command":"resize","domain":1,"vdev":51712,"size_bytes":1}:512'; do
        reply=$(answer "${bad%:*}")
        assert_eq "$(jq -c '[.version,.ok]' <<<"$reply")" '[1,false]' "$bad"
        assert_has "$(jq -r .error <<<"$reply")" "${bad##*:}"
done
assert_has "$(talk long)" "less than 65536 bytes"
assert_eq "$(seq 500 | sed 's/.*/{"version":1,"command":"ping"}/' | talk lines |
        grep -c '"ok":true')" 500 "answers to 500 requests at once"
assert_eq "$(talk silent 100)" '{"version":1,"ok":true}' "among silent ones"
assert_eq "$(talk deaf)" '{"version":1,"ok":true}' "beside a deaf one"

say "resize, with the guest connected"
guest g1 a xvda
assert_status 0 eg resize g1 xvda 6M
assert_eq "$(node $BACK/1/51712/sectors)" 12288
assert_eq "$(node $BACK/1/51712/params)" ram:6M
assert_eq "$(eg stat g1 xvda --json | jq '.disks[0].size_bytes')" 6291456
end_guest a
stop_daemon
