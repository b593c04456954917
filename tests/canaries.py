"""Files of a machine with a secret at every place and in every form that we know of."""

import re

STEM = "x7Qp9"
PYTHON = "/usr/local/lib/python3.11/dist-packages/inhouse-1.0.dist-info"

# Each `@` is another secret.
FILES = {
    "/etc/apt/sources.list.d/one.list": "deb https://deploy:@@apt.example.com/debian sid main\n",
    "/etc/apt/sources.list.d/two.sources": "Types: deb\nURIs: https://u:@@apt2.example.com/debian\n"
    "Suites: sid\nComponents: main\n",
    "/etc/apt/auth.conf": "machine apt.example.com login deploy password @\n",
    "/etc/apt/auth.conf.d/more.conf": "machine apt2.example.com login u password @\n",
    "/etc/apt/apt.conf.d/99proxy": 'Acquire::http::Proxy "http://u:@@proxy.example.com:3128";\n',
    "/etc/environment": "API_TOKEN=@\nDB_URL=postgres://app:@@db.example.com/app\nPLAIN=seen\n"
    'SLASH=https://u:@/x@@slash.example.com/\nSMTP_PW=@\nOPTS="--x STRIPE_KEY=@"\n',
    "/etc/profile.d/app.sh": "export AWS_SECRET_ACCESS_KEY=@\nexport PGPASSWORD='@'\n",
    "/etc/default/app": "DB_PASSWORD=@\nOPTS='--api-key @'\n",
    "/etc/systemd/system/app.service": "[Service]\nEnvironment=TOKEN=@ MODE=fast\n"
    'Environment="APP_SECRET=@"\nExecStart=/usr/bin/app --password @ --db mysql://a:@@db/x\n',
    "/etc/systemd/system/app.service.d/more.conf": "[Service]\nEnvironment=SESSION_KEY=@\n",
    "/etc/cron.d/backup": "PASSWORD=@\n0 3 * * * root curl -u backup:@ https://b.example.com/\n",
    "/var/spool/cron/crontabs/root": "0 4 * * * mysqldump -p@ app\n",
    "/etc/pip.conf": "[global]\nindex-url = https://u:@@pypi.example.com/simple\n",
    "/root/.config/pip/pip.conf": "[global]\nextra-index-url = https://u:@@pypi.example.com/s\n",
    f"{PYTHON}/METADATA": "Metadata-Version: 2.1\nName: inhouse\nVersion: 1.0\n",
    f"{PYTHON}/INSTALLER": "pip\n",
    f"{PYTHON}/RECORD": "",
    f"{PYTHON}/direct_url.json": '{"url": "https://u:@@git.example.com/x.git",'
    ' "vcs_info": {"vcs": "git", "commit_id": "abc"}}\n',
    "/root/.npmrc": "//registry.npmjs.org/:_authToken=@\n",
    "/usr/local/lib/node_modules/inhouse/package.json": '{"name": "inhouse", "version": "1.0.0",'
    ' "_resolved": "https://u:@@npm.example.com/x.tgz"}\n',
    "/etc/yum.repos.d/x.repo": "[x]\nbaseurl=https://u:@@yum.example.com/\npassword=@\n",
    "/var/log/auth.log": "Nov 20 10:00:00 web-a sudo: deploy : TTY=pts/0 ; PWD=/ ; USER=root ;"
    " COMMAND=/usr/bin/mysql -uroot -p@ app\n",
    "/root/.my.cnf": "[client]\npassword=@\n",
    "/root/.netrc": "machine x.example.com login u password @\n",
    "/root/.ssh/id_rsa": "-----BEGIN OPENSSH PRIVATE KEY-----\n@\n-----END",
    "/etc/ssh/sshd_config.d/x.conf": "# the token is @\nPermitRootLogin no\n",
    "/etc/sudoers.d/app": "# password @\napp ALL=(root) NOPASSWD: /usr/bin/app --token=@\n",
    "/etc/ld.so.preload.d/none": "@\n",
    "/opt/app/config.ini": "secret=@\n",
    "/usr/local/bin/app-run": "#!/bin/sh\nexec app --token @\n",
    # whatever ends in KEY, PSK or PW, and options of known programs
    "/etc/cron.d/forms": "SMTP_PW=@\n"
    "0 1 * * * root STRIPE_KEY=@ /usr/bin/x --key @\n"
    "1 1 * * * root curl -b sid=@ https://h.example.com/\n"
    "2 1 * * * root smbclient -U u%@ //h/x\n"
    "3 1 * * * root echo @ | sudo -S x\n"
    "4 1 * * * root mongodump -u u -p @\n"
    "5 1 * * * root HMAC_KEY=@ AWS_KEY='@ @' x\n"
    '6 1 * * * root pg --password  @; restic "password:  @" next\n'
    "7 1 * * * root wget https://h.example.com/hook?sig=@\n"
    "8 1 * * * root PASSWORD=$'@ @' x; DBPWD=@ y; z --psk=@\n"
    "9 1 * * * root wget --header 'Cookie: sid=@; a=@' https://h.example.com/\n"
    "10 1 * * * root curl https://hooks.slack.com/services/T0/B0/@\n"
    "11 1 * * * root curl https://api.telegram.org/bot1234567:@/sendMessage\n"
    "12 1 * * * root docker run -e DB_PASSWORD=@ --env API_KEY=@ x\n"
    "13 1 * * * root x login y password @ && echo u:@ | chpasswd && kinit <<< @\n"
    '14 1 * * * root curl -d "{\\"password\\": \\"@ @\\"}" https://h.example.com/\n'
    "15 1 * * * root java -Djavax.net.ssl.keyStorePassword=@ -Dkeystore.pw=@ -jar x\n"
    "16 1 * * * root snmpget -v 3 -A @ -X @ h x; openssl enc -k @; htpasswd -b f u @\n"
    "17 1 * * * root sqlplus -s scott/@@db; ipmitool -P @ x; 7z a -p@ x; lftp -u u,@ h\n"
    "18 1 * * * root nmcli c modify x 802-11-wireless-security.psk @; net rpc -U u%@ x\n"
    "19 1 * * * root aws configure set aws_secret_access_key @; vault login @\n"
    "20 1 * * * root git clone https://oauth2:@/more@@git.example.com/x\n",
    "/etc/default/forms": "STRIPE_KEY=@\nOPTS='--x STRIPE_KEY=@'\n",
    "/etc/profile.d/forms.sh": "export STRIPE_KEY=@\nexport SALT=@ PSK=@\n",
    "/etc/systemd/system/forms.service": "[Service]\n"
    'Environment=STRIPE_KEY=@ OPT="a PSK=@" "HOOK=https://hooks.slack.com/services/T0/B0/@"\n'
    "SetCredential=db:@\nExecStart=/x --key @\n",
    "/etc/apt/sources.list.d/slash.list": "deb https://u:@/x@@slash.example.com/debian sid main\n",
    "/etc/sudoers.d/forms": "app ALL=(root) NOPASSWD: /usr/bin/mongodump -p @, /x STRIPE_KEY=@\n"
    "app ALL=(root) /usr/bin/curl -u app\\:@ https\\://h.example.com/\n",
}
HISTORY = """
Start-Date: 2026-11-20  10:00:00
Commandline: apt-get install -o Acquire::http::Proxy=http://u:@@proxy.example.com curl --token=@
Requested-By: deploy (1000)
Upgrade: curl:amd64 (7.88.1-10, 7.88.1-10+deb12u1)
End-Date: 2026-11-20  10:00:02

Start-Date: 2026-11-21  10:00:00
Commandline: env STRIPE_KEY=@ apt-get install -o Acquire::http::Proxy=http://u:@/x@@p.example.com a
Upgrade: curl:amd64 (7.88.1-10, 7.88.1-10+deb12u1)
End-Date: 2026-11-21  10:00:02
"""


class Canaries:
    """Gives a new secret at each `@@` (user info, followed by `@`) and each `@`."""

    def __init__(self) -> None:
        self.count = 0

    def _one(self, found: re.Match[str]) -> str:
        self.count += 1
        return f"{STEM}{self.count:03}kV" + ("@" if found[0] == "@@" else "")

    def planted(self, text: str) -> str:
        return re.sub("@@?", self._one, text)
