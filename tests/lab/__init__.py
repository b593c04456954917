"""The lab: real servers (containers with a real sshd) that the demo and the tests run on."""
