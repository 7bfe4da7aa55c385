# SPDX-License-Identifier: MIT
# Compares two outputs of xs_script, request by request: awk -f … WANTED GOT.
# Two differences are allowed. An event that waits already is not sent again, and
# what still waits depends on the moment: repeated events count once. And a
# transaction that saw a node and its parent in states that never were together
# will get EAGAIN at its end from both, but xenstored may call it corrupt before
# (EIO, EINVAL for RM).
function finish_block() {
        if (file == 1)
                wanted[n] = text
        else
                compare()
        text = ""
}
function compare(   f, tx) {
        split(request, f, " ")
        tx = f[2] " " f[4]
        if (f[4] ~ /^tx/ && (wanted[n] ~ /ERROR "EIO/ ||
                             (f[3] == "RM" && wanted[n] ~ /ERROR "EINVAL/)))
                doomed[tx] = 1
        if (wanted[n] == text || doomed[tx])
                return
        if (bad++ < 5)
                printf "request %d: %s\n wanted:\n%s got:\n%s", n, request,
                        wanted[n], text
}
FNR == 1 {
        if (file)
                finish_block()
        file++
        n = 0
}
/^> / {
        if (FNR > 1)
                finish_block()
        n++
        request = $0
        next
}
{
        if (/WATCH_EVENT/ && index(text, "  " $0 "\n"))
                next
        text = text "  " $0 "\n"
}
END {
        finish_block()
        if (file != 2 || n < 10)
                bad++
        print n " requests, " bad + 0 " different answers"
        exit bad > 0
}
