# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Issue 4, "side by side": kernel blkback, QEMU's qdisk and evergrantd, each on a
# RAM disk of its own, one guest, in one boot, interleaved. ROUNDS, SECONDS_EACH:
# by hand.
modprobe brd rd_nr=3 rd_size=65536
modprobe xen-blkback
daemon_start
VCPUS=2 guest_create g1 \
        'disk=["phy:/dev/ram0,xvdb,w", "format=raw,vdev=xvdc,access=rw,backendtype=qdisk,target=/dev/ram1"]'
run evergrant attach g1 xvdd /dev/ram2
for disk in xvdb xvdc xvdd; do
        connected_size g1 $disk
        # Warm: pages granted, RAM disk allocated.
        guest g1 "fio --name=warm --filename=/dev/$disk --direct=1 --ioengine=libaio --rw=write --bs=128k --iodepth=16 --size=64M --minimal >/dev/null"
done

feature measured
for rw in randread randwrite read write; do
        for bs in 4k 128k; do
                for depth in 1 16; do
                        for round in $(seq "${ROUNDS:-3}"); do
                                # Each is the first once.
                                case $((round % 3)) in
                                1) order="xvdb xvdc xvdd" ;;
                                2) order="xvdc xvdd xvdb" ;;
                                0) order="xvdd xvdb xvdc" ;;
                                esac
                                guest g1 "for d in $order; do echo \"iops \$d $rw $bs $depth $round \$(fio --name=m --filename=/dev/\$d --direct=1 --ioengine=libaio --rw=$rw --bs=$bs --iodepth=$depth --size=64M --time_based --runtime=${SECONDS_EACH:-2} --minimal | cut -d';' -f8,49 | tr ';' ' ')\"; done"
                        done
                done
        done
done
stat_of g1 xvdd

# What a request costs in system calls: of evergrantd and of QEMU; the kernel's
# backend makes none. An emulated PV Dom0 pays each of them dearly.
feature system-calls
# A byte read, a byte written, 100,000 times.
note "200000 calls took $(LC_ALL=C dd if=/dev/zero of=/dev/null bs=1 count=100000 2>&1 |
        sed -n 's/.*copied, \([0-9.]*\) s.*/\1/p') s"
qemu=$(pgrep -f 'qemu-system.*-name g1')
for bs in 4k 128k; do
        for depth in 1 16; do
                for disk in xvdc xvdd; do
                        pid=$qemu
                        [ $disk = xvdc ] || pid=$DAEMON_PID
                        rm -f /tmp/calls
                        strace -f -c -U calls,name -o /tmp/calls -p "$pid" 2>/dev/null &
                        tracer=$!
                        guest g1 "echo \"did $disk $bs $depth \$(fio --name=m --filename=/dev/$disk --direct=1 --ioengine=libaio --rw=randwrite --bs=$bs --iodepth=$depth --size=64M --number_ios=400 --minimal | cut -d';' -f47)\""
                        kill -TERM $tracer
                        wait_for 'grep -q total /tmp/calls' 30
                        note "calls $disk $bs $depth $(sed -n 's/^ *\([0-9]\{1,\}\) \([a-z_0-9]*\)$/\2=\1/p' /tmp/calls | tr '\n' ' ')"
                done
        done
done
run evergrant detach g1 xvdd
daemon_stop
