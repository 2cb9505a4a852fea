# The machine: QEMU without KVM, and the guest's verdict.

console=$cache/console.log

# boot SECONDS ARGUMENTS..: boots the tier's kernel with the guest's arguments, and shows what the guest says. Fails
# unless its verdict is PASS.
boot() {
    local limit=$1 shown=0 status=0 alive lines
    shift
    : > "$console"
    timeout --kill-after=5 "$limit" qemu-system-x86_64 "${speed[@]}" -cpu max -m 1024 \
        -nodefaults -nographic -no-reboot -serial stdio -kernel "$image" -initrd "$build/initrd.gz" \
        -append "console=ttyS0 panic=-1 ${arguments[*]} $*" > "$console" 2>&1 < /dev/null &
    machine=$!
    while true; do
        alive=true
        kill -0 $machine 2> /dev/null || alive=false
        lines=$(grep -ac '' "$console" || true)
        if [ "$lines" -gt "$shown" ]; then
            sed -n "$((shown + 1)),${lines}p" "$console" | tr -d '\r' | { grep -a '^FOPS: ' || true; } | while read -r line; do
                say "  ${line#FOPS: }"
            done
            shown=$lines
        fi
        [ $alive = true ] || break
        sleep 0.5
    done
    wait $machine || status=$?
    grep -aq '^FOPS: VERDICT PASS' "$console" && return
    echo "--- the last lines of the console:"
    tail -n 60 "$console" | tr -d '\r'
    [ $status != 124 ] || fail "the machine was ended after $limit s"
    fail "the guest's verdict is not PASS (QEMU's exit status $status)"
}
machine=
trap '[ -z "$machine" ] || kill $machine 2> /dev/null || true' EXIT

speed=(-accel 'tcg,thread=multi' -smp '2,sockets=2,cores=1,threads=1')
arguments=(loglevel=5)
# The guest mounts them.
[ -z "$programs" ] || speed+=(-virtfs "local,path=$programs,mount_tag=programs,security_model=none,readonly=on")
[ -z "$programs" ] || arguments+=(fops_programs)
image=$root/vmlinuz
if [ $tier = kasan ]; then
    # The board of rcar-vin takes memory that nobody else has.
    arguments=(loglevel=1 kasan_multi_shot log_buf_len=16M 'memmap=0x10000$0x30000000')
    image=$kasan/vmlinux
fi

if [ $costs = true ]; then
    say "boot a machine that counts instructions"
    # One CPU: its time is what it has executed, and nothing else.
    speed=(-accel 'tcg,thread=single' -icount 'shift=0,sleep=off' -smp 1)
    boot 300 fops_costs
    return
fi
limit=$((420 + 30 * cycles))
[ $tier = stock ] || limit=$((limit * 3))
say "boot, $cycles cycles of each scenario, at most $limit s"
boot $limit fops_cycles=$cycles
[ $tier = kasan ] || return 0

reports=$cache/reports
grep -a '^FOPS: REPORTS' "$console" > "$reports"

# Lockdep reports once in a boot.
for inside in 0 1; do
    say "boot, an unplug that may wait forever"
    boot 400 fops_deadlock=$inside
done

# Upstream's rcar-vin and vin, with the guard above and without it here. Each scenario ruins its machine.
for scenario in held dqbuf dqevent read poll hammer; do
    say "boot, rcar-vin without the guard: $scenario"
    boot 400 fops_unmodified=$scenario
    grep -a '^FOPS: REPORTS' "$console" >> "$reports"
done
for scenario in held dqbuf control; do
    say "boot, vin without the guard: $scenario"
    boot 400 fops_unguarded=$scenario
    grep -a '^FOPS: REPORTS' "$console" >> "$reports"
done

# table WITHOUT WITH: what the builds of those names have brought. Fails unless the first has faults and the second has none.
table() {
    tr -d '\r' < "$reports" | awk -v cycles="$cycles" -v without="$1" -v with="$2" '
        $3 == without { order[++n] = $4; before[$4] = $5 }
        $3 == with { after[$4] = $5 }
        END {
            printf "%-10s %16s   %s\n", "scenario", "without guard", "guarded, " cycles " cycles"
            for (i = 1; i <= n; i++) {
                bad += before[order[i]] == 0 || !(order[i] in after) || after[order[i]] != 0
                printf "%-10s %16d   %d\n", order[i], before[order[i]], after[order[i]]
            }
            exit bad != 0 || n == 0
        }' || fail "that is not as it should be"
}
printf '\nrcar-vin is taken off the bus: reports of KASAN, warnings and oopses\n'
table unmodified guarded
printf '\nvin is unbound: the same\n'
table unguarded vin
