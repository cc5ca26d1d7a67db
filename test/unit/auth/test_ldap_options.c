/* SPDX-License-Identifier: PostgreSQL */
#include "auth/ldap_options.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth_fixture.h"

#define S(x) ((x) ? (x) : "-")

static void test_ldap_options_are_read_as_postgresql_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* want: the fields, or the error */
    } cases[] = {
        {"ldapserver=ldap.example.net ldapprefix=\"cn=\" ldapsuffix=\", dc=example\"",
         "ldap ldap.example.net:0 simple [cn=][, dc=example]"},
        {"ldapserver=a,ldapport=3890,ldapsuffix=@example.net",
         "ldap a:3890 simple [-][@example.net]"},
        {"ldapserver=\"a b\" ldapscheme=ldaps ldapsuffix=x", "ldaps a b:0 simple [-][x]"},
        {"ldapserver=a ldaptls=1 ldapbasedn=\"dc=x\"", "starttls a:0 search [dc=x][-][-] 2 -"},
        {"ldapserver=a ldapbasedn=dc=x ldapbinddn=\"cn=r\" ldapbindpasswd=\"s \"\"q\"\"\"",
         "ldap a:0 search [dc=x][-][-] 2 cn=r/s \"q\""},
        {"ldapserver=a ldapbasedn=dc=x ldapsearchfilter=\"(|(uid=$username)(mail=$username))\"",
         "ldap a:0 search [dc=x][-][(|(uid=$username)(mail=$username))] 2 -"},
        {"ldapurl=ldap://h/dc=x?uid?sub", "ldap h:0 search [dc=x][uid][-] 2 -"},
        {"ldapurl=\"ldaps://h:636/dc=a%2cdc=b?cn?one\"",
         "ldaps h:636 search [dc=a,dc=b][cn][-] 1 -"},
        {"ldapurl=ldap://[::1]:3890/dc=x", "ldap [::1]:3890 search [dc=x][-][-] 0 -"},
        {"ldapbasedn=\"dc=example,dc=net\"", "ldap -:0 search [dc=example,dc=net][-][-] 2 -"},
        {"", "LDAP options need ldapbasedn, ldapprefix or ldapsuffix"},
        {"ldapserver=a", "LDAP options need ldapbasedn, ldapprefix or ldapsuffix"},
        {"ldapprefix=x", "LDAP options need ldapserver"},
        {"ldapserver= a", "LDAP options: \"name=value\" expected at character 2"},
        {"ldapserver", "LDAP options: \"name=value\" expected at character 11"},
        {"nonsense=1", "unknown LDAP option \"nonsense\""},
        {"ldapserver=a ldapserver=b", "LDAP option \"ldapserver\" is given twice"},
        {"ldapserver=\"a", "LDAP option \"ldapserver\": its quote is not closed"},
        {"ldapserver=\"a\"b", "LDAP option \"ldapserver\": text right behind its quote"},
        {"ldapserver=a ldapport=0 ldapsuffix=x", "ldapport is a number from 1 to 65535"},
        {"ldapserver=a ldapscheme=http ldapsuffix=x", "ldapscheme is ldap or ldaps"},
        {"ldapserver=a ldapscheme=ldaps ldaptls=1 ldapsuffix=x",
         "ldaptls=1 does not go with ldaps"},
        {"ldapserver=a ldaptls=yes ldapsuffix=x", "ldaptls is 0 or 1"},
        {"ldapserver=a ldapprefix=x ldapbasedn=y",
         "ldapprefix and ldapsuffix do not go with ldapbasedn, ldapbinddn, ldapbindpasswd, "
         "ldapsearchattribute, ldapsearchfilter, ldapurl"},
        {"ldapserver=a ldapbasedn=y ldapsearchattribute=uid ldapsearchfilter=($username)",
         "ldapsearchattribute and ldapsearchfilter exclude each other"},
        {"ldapserver=a ldapbasedn=y ldapsearchfilter=(uid=admin)",
         "ldapsearchfilter needs $username, or it finds the same one for every user"},
        {"ldapurl=http://h/dc=x", "ldapurl begins with ldap:// or ldaps://"},
        {"ldapurl=ldap:///dc=x", "ldapurl names no host"},
        {"ldapurl=ldap://h/dc=x?uid?all", "ldapurl: the scope is base, one or sub"},
        {"ldapurl=ldap://h/dc=%zz", "ldapurl is malformed"},
        {"ldapurl=ldap://h/dc=%0", "ldapurl is malformed"},
        {"ldapurl=ldap://h/dc=x ldapserver=a",
         "ldapurl says what ldapserver, ldapport, ldapscheme, ldapbasedn, ldapsearchattribute and "
         "ldapsearchfilter say: one or the other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ldap_options o;
        struct error err;
        char got[512];
        if (!ldap_options_parse(cases[i].text, &o, &err)) {
            assert_string_equal(err.text, cases[i].want);
            continue;
        }
        const char *scheme = o.ldaps ? "ldaps" : o.starttls ? "starttls" : "ldap";
        int n = snprintf(got, sizeof got, "%s %s:%d ", scheme, S(o.server), o.port);
        if (!o.basedn)
            snprintf(got + n, sizeof got - (size_t)n, "simple [%s][%s]", S(o.prefix), S(o.suffix));
        else
            snprintf(got + n, sizeof got - (size_t)n, "search [%s][%s][%s] %d %s%s%s", o.basedn,
                     S(o.attribute), S(o.filter), (int)o.scope, S(o.binddn),
                     o.bindpasswd ? "/" : "", o.bindpasswd ? o.bindpasswd : "");
        assert_string_equal(got, cases[i].want);
        ldap_options_fini(&o);
    }
}

static void expect_name(char *(*fn)(const struct ldap_options *, const char *), const char *options,
                        const char *user, const char *want)
{
    struct ldap_options o;
    struct error err;
    assert_true(ldap_options_parse(options, &o, &err));
    char *got = fn(&o, user);
    assert_string_equal(got, want);
    free(got);
    ldap_options_fini(&o);
}

static void test_ldap_options_let_a_user_be_nobody_but_himself(void **state)
{
    (void)state;
    expect_name(ldap_options_filter, "ldapserver=a ldapbasedn=b", "joe", "(uid=joe)");
    expect_name(ldap_options_filter, "ldapserver=a ldapbasedn=b ldapsearchattribute=cn", "*",
                "(cn=\\2a)");
    expect_name(ldap_options_filter,
                "ldapserver=a ldapbasedn=b ldapsearchfilter=(|(uid=$username)(mail=$username))",
                "x)(uid=\\*", "(|(uid=x\\29\\28uid=\\5c\\2a)(mail=x\\29\\28uid=\\5c\\2a))");
    expect_name(ldap_options_dn, "ldapserver=a ldapprefix=cn= ldapsuffix=\",dc=x\"", "joe",
                "cn=joe,dc=x");
    expect_name(ldap_options_dn, "ldapserver=a ldapprefix=cn= ldapsuffix=\",dc=x\"",
                "joe,ou=admins", "cn=joe\\2cou\\3dadmins,dc=x");
    expect_name(ldap_options_dn, "ldapserver=a ldapsuffix=@example.net", "joe", "joe@example.net");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ldap_options_are_read_as_postgresql_writes_them),
        cmocka_unit_test(test_ldap_options_let_a_user_be_nobody_but_himself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
