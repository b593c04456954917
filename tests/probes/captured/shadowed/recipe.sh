# How `shadowed` was made: web-a's image, zlib copied to /usr/local and replaced while php runs.
# Captured inside with --cap-add SYS_PTRACE; its oracles ask dpkg and the kernel one file at a time.
cp /lib/x86_64-linux-gnu/libz.so.1.2.13 /usr/local/lib/ && ldconfig
mkdir -p /run/php && php-fpm8.2 -D
cp /usr/local/lib/libz.so.1.2.13 /usr/local/lib/new && mv /usr/local/lib/new /usr/local/lib/libz.so.1.2.13

# libraries.oracle
ldconfig -p | sed -n 's/^.* => //p' | while IFS= read -r f; do
  for g in "$f" "/usr$f" "${f#/usr}" "$(readlink -f "$f")" "$(readlink -f "$f" | sed 's,^/usr,,')"; do
    o=$(dpkg -S "$g" 2>/dev/null | sed -n 's/: .*//p' | head -n1)
    [ -n "$o" ] && break
  done
  printf '%s %s\n' "$f" "${o%%,*}"
done

# processes.oracle
for d in /proc/[0-9]*; do
  exe=$(readlink $d/exe) || continue
  case $exe in */dash|*/bash|*/sed|*/sleep) continue ;; esac
  sed -n 's,^[^ ]* ..x. [^/]*\(/.*\),\1,p' $d/maps | sort -u | while IFS= read -r f; do printf '%s %s\n' "$exe" "$f"; done
done | sort -u
