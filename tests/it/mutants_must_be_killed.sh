#!/bin/bash
# SPDX-License-Identifier: MIT
# scripts/mutants over a project of one function: it must tell a mutant that is
# killed from one that survives and from those that cannot be judged.
. "$(dirname "$0")/lib.sh"

need git
P=$T/project
mkdir -p "$P/scripts" "$P/tests/mutants"
cp "$EG_SOURCE/scripts/mutants" "$P/scripts"
cat >"$P/meson.build" <<'END'
project('p', 'c')
exe = executable('t', 'main.c')
test('equal', exe)
test('skips', find_program('skips.sh'))
END
printf '#!/bin/sh\nexit 77\n' >"$P/skips.sh"
chmod +x "$P/skips.sh"
cat >"$P/main.c" <<'END'
static int twice(int n)
{
        return 2 * n;
}

int main(void)
{
        return twice(3) != 6;
}
END
echo /build >"$P/.gitignore"
git -C "$P" init -q

# mutant NAME TESTS NEW-LINE [OLD-LINE]
mutant() {
        cat >"$P/tests/mutants/$1.patch" <<END
# Breaks: doubling
# Tests: $2
--- a/main.c
+++ b/main.c
@@ -1,4 +1,4 @@
 static int twice(int n)
 {
-        return ${4:-2 * n};
+        return $3;
 }
END
}

unset MUTANTS_MINUTES # of a run that this test may be part of
say "one is killed; the work tree stays as it was"
mutant killed "equal" "3 * n"
before=$(cat "$P/main.c")
assert_status 0 "$P/scripts/mutants"
assert_has "$OUT" "killed   killed by equal: doubling"
assert_eq "$(tail -n 1 <<<"$OUT")" "1 killed, 0 survived, 0 skipped" "the last line"
assert_eq "$(cat "$P/main.c")" "$before" "main.c"

say "it tells how to use it, and begins nothing"
rm -rf "$P/build"
assert_status 0 "$P/scripts/mutants" --help
assert_has "$OUT" "usage: mutants [-h] [NAME]"
[ ! -e "$P/build" ] || fail "--help has begun to build"
assert_status 2 "$P/scripts/mutants" one two

say "what there is no time for is skipped, and said"
MUTANTS_MINUTES=0 assert_status 0 "$P/scripts/mutants"
assert_has "$OUT" "skipped  killed: no time left"
assert_eq "$(tail -n 1 <<<"$OUT")" "0 killed, 0 survived, 1 skipped" "the last line"
MUTANTS_MINUTES=soon assert_status 2 "$P/scripts/mutants"

say "a mutant that hangs is killed by the test's time" # meson's 30 s
mutant hangs "equal" "({ for (;;) ; n; })"
sed -i "s/test('equal', exe)/test('equal', exe, timeout : 2)/" "$P/meson.build"
assert_status 0 "$P/scripts/mutants" hangs
assert_has "$OUT" "1 killed, 0 survived"

say "those that prove nothing"
mutant survives "equal" "n + n"
mutant unbuildable "equal" "no_such * n"
mutant unappliable "equal" "3 * n" "5 * n"
mutant untested "no-such-test" "3 * n"
mutant skipped "skips" "3 * n"
printf -- '--- a/main.c\n' >"$P/tests/mutants/headless.patch"
assert_status 1 "$P/scripts/mutants"
for name in survives:SURVIVED unbuildable:BROKEN unappliable:BROKEN \
        untested:BROKEN skipped:BROKEN headless:BROKEN; do
        grep -qE "^${name#*:} +${name%:*}" <<<"$OUT" ||
                fail "${name%:*} is not ${name#*:}: $OUT"
done
assert_eq "$(tail -n 1 <<<"$OUT")" "2 killed, 6 survived, 0 skipped" "the last line"
assert_eq "$(grep -cE '^(SURVIVED|BROKEN) ' <<<"$OUT")" 12 "said when judged and at the end"

say "one that is red before any mutant judges nothing"
sed -i 's/!= 6/!= 7/' "$P/main.c"
assert_status 1 "$P/scripts/mutants" survives
assert_has "$OUT" "without any mutant: equal failed"
