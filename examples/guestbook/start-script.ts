/**
 * Versions of the guest book. 2.0 migrates its data when it starts; 3.0 breaks its data and never answers; 4.0 breaks its data and
 * ends at once.
 */
export const GUESTBOOK_VERSIONS = ['1.0', '2.0', '3.0', '4.0'] as const;
export type GuestbookVersion = (typeof GUESTBOOK_VERSIONS)[number];

/** What the container runs: a web server of busybox over `/data`, which ends at once on SIGTERM, as a service should. */
export function startScript(version: GuestbookVersion, port: number): string {
  return `#!/bin/sh\n${WORK[version](port)}\n`;
}

const FIRST_DATA = `if [ ! -f /data/format ]; then
  dd if=/dev/urandom of=/data/photos bs=64k count=4 2>/dev/null
  chmod 600 /data/photos
  chown 123:456 /data/photos
  ln -s photos /data/latest
  echo 'Hello from the first guest' > /data/entries
  echo 1 > /data/format
fi`;

const serve = (version: GuestbookVersion, port: number): string => `mkdir -p /www/cgi-bin
echo ${version} > /www/version
ln -sf /data/entries /www/entries
cat > /www/cgi-bin/sign <<'CGI'
#!/bin/sh
read -r entry
printf '%s\\n' "$entry" >> /data/entries
printf 'Status: 204\\r\\n\\r\\n'
CGI
chmod 755 /www/cgi-bin/sign
echo "guest book ${version}: $(wc -l < /data/entries) entries"
httpd -f -p ${port} -h /www &
trap 'kill $!; exit 0' TERM INT
wait $!`;

/** Once only: what starts again finds its data as it left it. */
const MIGRATE = `if [ "$(cat /data/format)" = 1 ]; then
  wc -l < /data/entries > /data/count
  echo 2 > /data/format
fi`;

const BREAK_DATA = `echo "migrating to format $((1 + $(cat /data/format)))"
echo 3 > /data/format
echo garbage >> /data/photos
rm -f /data/latest
: > /data/entries`;

const WORK: Record<GuestbookVersion, (port: number) => string> = {
  '1.0': (port) => `${FIRST_DATA}\n${serve('1.0', port)}`,
  '2.0': (port) => `${MIGRATE}\n${serve('2.0', port)}`,
  '3.0': () => `${BREAK_DATA}
echo "cannot open the guest book: no entry is readable"
trap 'exit 0' TERM INT
sleep 3600 &
wait $!`,
  '4.0': () => `${BREAK_DATA}\necho "cannot go on: no licence"\nexit 3`,
};
