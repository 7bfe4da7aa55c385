#!/bin/bash
# SPDX-License-Identifier: MIT
# scripts/deps against stand-ins of dpkg-query, apt-get and sudo.
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/bin" "$T/tree/scripts"
cp "$EG_SOURCE/scripts/deps" "$EG_SOURCE/scripts/deps.list" "$T/tree/scripts"
deps=$T/tree/scripts/deps

# $T/absent names the packages that are not there.
cat >"$T/bin/dpkg-query" <<END
#!/bin/bash
status=0
for p in "\${@:4}"; do
        if grep -qxF "\$p" "$T/absent"; then
                status=1
        else
                echo "installed \$p"
        fi
done
exit \$status
END
cat >"$T/bin/apt-get" <<END
#!/bin/bash
echo "apt-get \$*" >>"$T/called"
[[ " \$* " != *" install "* ]] || [ ! -e "$T/broken" ]
END
cat >"$T/bin/sudo" <<END
#!/bin/bash
echo "sudo \$1" >>"$T/called"
exec "\$@"
END
cat >"$T/bin/id" <<END
#!/bin/sh
cat "$T/uid"
END
chmod +x "$T"/bin/*
PATH=$T/bin:$PATH
: >"$T/absent"
: >"$T/called"
echo 1000 >"$T/uid"

say "nothing missing: nothing is called"
assert_status 0 "$deps"
assert_status 0 env NO_INSTALL=1 "$deps"
assert_eq "$(cat "$T/called")" "" "what was called"

say "NO_INSTALL=1 lists and exits 2"
printf 'gcc\njq\n' >"$T/absent"
assert_status 2 env NO_INSTALL=1 "$deps"
assert_has "$OUT" "missing: gcc jq"
assert_eq "$(cat "$T/called")" "" "what was called"

say "only what the kinds need"
assert_status 2 env NO_INSTALL=1 "$deps" demo
assert_has "$OUT" "missing: jq"
[[ $OUT != *gcc* ]] || fail "demo alone asks for gcc: $OUT"

say "missing: update, then exactly those, through sudo"
assert_status 0 "$deps"
assert_eq "$(grep -c '^sudo' "$T/called")" 2 "calls of sudo"
assert_has "$(sed -n 2p "$T/called")" " update" "first call"
last=$(tail -n 1 "$T/called")
assert_has "$last" "--no-install-recommends gcc jq" "last call"

say "root needs no sudo"
echo 0 >"$T/uid"
: >"$T/called"
assert_status 0 "$deps"
assert_eq "$(grep '^sudo' "$T/called" || true)" "" "calls of sudo"

say "a failed install is loud"
touch "$T/broken"
assert_status 2 "$deps"
assert_has "$OUT" "apt-get install failed"
