# SPDX-License-Identifier: PostgreSQL
"""A private OpenLDAP server on a loopback port, with a few people in it."""

import subprocess

from . import process
from .waiting import wait_until

BASE = "dc=example,dc=net"
MANAGER = f"cn=manager,{BASE}"
MANAGER_PASSWORD = "manager's own"

# Names and passwords; "eve" and "eve2" share a mail address.
PEOPLE = {
    "ldap_user": ("directory secret", "ldap_user@example.net"),
    "app": ("app by directory", "app@example.net"),
    "eve": ("eve", "twice@example.net"),
    "eve2": ("eve", "twice@example.net"),
}

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {directory}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {ca_file}
TLSCertificateFile {cert_file}
TLSCertificateKeyFile {key_file}
database mdb
maxsize 10485760
suffix "{base}"
rootdn "{manager}"
rootpw "{manager_password}"
directory {directory}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,{base}" read by * none
"""


def entries():
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n"
    yield (
        f"dn: cn=reader,{BASE}\nobjectClass: person\ncn: reader\nsn: reader\n"
        "userPassword: reader's own\n"
    )
    for name, (password, mail) in PEOPLE.items():
        yield (
            f"dn: uid={name},{BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\n"
            f"uid: {name}\nmail: {mail}\nuserPassword: {password}\n"
        )


class Directory:
    """`certificate` has cert_file and key_file; the host name in it is `localhost`."""

    host = "127.0.0.1"

    def __init__(self, parent, ca_file, cert_file, key_file):
        self.directory = process.new_directory("directory", parent)
        self.port = process.free_port()
        self.tls_port = process.free_port()
        self.process = None
        (self.directory / "db").mkdir()
        process.give(self.directory / "db")
        self.config = self.directory / "slapd.conf"
        self.config.write_text(
            CONFIG.format(
                directory=self.directory, base=BASE, manager=MANAGER,
                manager_password=MANAGER_PASSWORD, ca_file=ca_file, cert_file=cert_file,
                key_file=key_file,
            )
        )
        process.give(self.config)

    def start(self):
        ldif = self.directory / "people.ldif"
        ldif.write_text("\n".join(entries()))
        process.give(ldif)
        process.run(["/usr/sbin/slapadd", "-f", self.config, "-l", ldif], cwd=self.directory)
        self.process = process.start(
            ["/usr/sbin/slapd", "-d", "0", "-f", self.config, "-h",
             f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"],
            self.directory / "slapd.log", cwd=self.directory,
        )
        wait_until(lambda: process.accepts_connections(self.port), "the directory listens")
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill_group(self.process)

    def hang(self):
        """It takes connections and answers nothing, until `resume`."""
        self.process.send_signal(subprocess.signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(subprocess.signal.SIGCONT)
