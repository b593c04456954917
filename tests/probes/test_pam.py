"""Rules of PAM that no package brings, in the files that pam-auth-update writes."""

from driftscan.probes import pam

COMMON = "/etc/pam.d/common-auth"
UNIX = {
    "/usr/share/pam-configs/unix": [
        "Name: Unix authentication",
        "Auth-Type: Primary",
        "Auth:",
        "\t[success=end default=ignore]\tpam_unix.so nullok try_first_pass",
        "Auth-Initial:",
        "\t[success=end default=ignore]\tpam_unix.so nullok",
    ],
    "/usr/share/pam-configs/capability": ["Auth-Final:", "\toptional\t\t\tpam_cap.so"],
}
WRITTEN = [
    "auth\t[success=2 default=ignore]\tpam_unix.so nullok",
    "auth\trequisite\t\t\tpam_deny.so",
    "auth\trequired\t\t\tpam_permit.so",
]


def own(*lines):
    return pam.own({COMMON: lines, **UNIX})


def test_what_pam_auth_update_wrote_is_nobodys_own():
    assert own(*WRITTEN) == {}
    assert (
        own(*WRITTEN, "", "  # a comment", "auth [success=1 default=ignore] pam_unix.so nullok")
        == {}
    )


def test_a_rule_that_lets_everybody_in_is_told_and_so_is_a_changed_argument():
    permit = "auth\tsufficient\tpam_permit.so"
    assert own(permit, *WRITTEN) == {COMMON: ["auth sufficient pam_permit.so"]}
    changed = WRITTEN[0].replace("nullok", "nullok debug")
    assert own(changed) == {COMMON: ["auth [success=end default=ignore] pam_unix.so nullok debug"]}


def test_a_profiles_rule_counts_for_its_type_alone():
    assert own("session\toptional\tpam_cap.so") == {COMMON: ["session optional pam_cap.so"]}
