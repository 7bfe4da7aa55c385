#!/bin/bash
# SPDX-License-Identifier: MIT
# A file system without room for what the guest writes: the guest gets an error
# for that write, reads go on, and so do the daemon and all other disks.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/life.sh"

start_pocketxen
mkdir "$T/small"
small=yes
unshare -rm mount -t tmpfs -o size=1M none "$T/small" 2>"$T/unshare.log" ||
        small=
if [ $small ]; then
        # It mounts the file system for itself alone.
        cat >"$T/daemon" <<END
#!/bin/sh
exec unshare -rm sh -c 'mount -t tmpfs -o size=1M none "$T/small" &&
        truncate -s 8M "$T/small/disk" && exec "$EVERGRANTD" "\$@"' - "\$@"
END
        chmod +x "$T/daemon"
        EVERGRANTD=$T/daemon
fi
start_daemon
truncate -s 8M "$T/good.img"
for dom in good fault small; do
        px create "$dom" >"$T/created"
done
eg attach good xvda "$T/good.img"
eg attach fault xvda fault:write-error=ENOSPC:ram:8M
targets='fault'
if [ $small ]; then
        eg attach small xvda "$T/small/disk"
        targets='fault small'
else
        say "no mounts for this user: only with injected errors"
fi
start_load good good
for dom in $targets; do
        assert_status 1 px exec "$dom" -- "$EG_BUILD/examples/randload" \
                --vdev xvda --op write --seconds 0 --requests 1500 --json
        LOAD=$(grep -F '{' <<<"$OUT")
        assert_has "$OUT" 'Input/output error'
        assert_num "$(load_field errors)" -gt 100 "errors of $dom"
        if [ "$dom" = small ]; then
                # As much as there was room for did arrive.
                assert_num "$(load_field errors)" -lt 1400 "errors of $dom"
        fi
        assert_status 0 px exec "$dom" -- "$EG_BUILD/examples/randload" \
                --vdev xvda --op read --seconds 0 --requests 500
done
moves good
end_load good
for dom in $targets; do
        eg detach "$dom" xvda
done
stop_daemon
