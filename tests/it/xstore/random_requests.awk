# SPDX-License-Identifier: MIT
# Random requests for xs_script: two connections of Domain-0 (a, b), domains 1
# and 2 (u, v), a small tree so that they meet. Variables: seed, count; A, U and
# V name the sockets.
function pick(list, n,   parts) {
        n = split(list, parts, " ")
        return parts[1 + int(rand() * n)]
}
function path(   p, k) {
        p = "/d"
        for (k = int(rand() * 5); k > 0; k--)
                p = p "/" pick("x y z")
        return p
}
function perms(   p, k) {
        p = pick("n r w b") pick("0 0 1 1 2") "\\0"
        for (k = int(rand() * 3); k > 0; k--)
                p = p pick("n r w b") pick("0 1 2") "\\0"
        return p
}
function transaction(c) {
        return open_tx[c] && rand() < 0.6 ? pick(open_tx[c]) : "0"
}
function end_one(c,   t) {
        t = pick(open_tx[c])
        sub(t " ", "", open_tx[c])
        print c, "TRANSACTION_END", t, pick("T T T T F") "\\0"
}
function one(c,   x) {
        x = rand()
        if (x < 0.22)
                print c, "WRITE", transaction(c), path() "\\0" pick("v vv vvv")
        else if (x < 0.30)
                print c, "MKDIR", transaction(c), path() "\\0"
        else if (x < 0.40)
                print c, "RM", transaction(c), path() "\\0"
        else if (x < 0.54)
                print c, "READ", transaction(c), path() "\\0"
        else if (x < 0.62)
                print c, "DIRECTORY", transaction(c), path() "\\0"
        else if (x < 0.65)
                print c, "GET_PERMS", transaction(c), path() "\\0"
        else if (x < 0.75)
                print c, "SET_PERMS", transaction(c), path() "\\0" perms()
        else if (x < 0.82)
                print c, "WATCH 0", path() "\\0" pick("s t") "\\0"
        else if (x < 0.86)
                print c, "UNWATCH 0", path() "\\0" pick("s t") "\\0"
        else if (x < 0.93 && length(open_tx[c]) < 20) {
                open_tx[c] = open_tx[c] "tx" ++started " "
                print c, "START", "tx" started
        } else if (open_tx[c])
                end_one(c)
}
function drain_all() {
        print "drain a\ndrain b\ndrain u\ndrain v"
}
BEGIN {
        srand(seed)
        print "open a " A "\nopen b " A
        print "a INTRODUCE 0 1\\01\\01\\0\na INTRODUCE 0 2\\01\\01\\0"
        print "open u " U "\nopen v " V
        print "a MKDIR 0 /d\\0\na SET_PERMS 0 /d\\0b0\\0"
        for (i = 0; i < count; i++) {
                one(pick("a a b u u v"))
                if (rand() < 0.3)
                        drain_all()
        }
        drain_all()
}
