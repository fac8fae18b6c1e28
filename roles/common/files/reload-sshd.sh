#!/bin/sh
# Have sshd read its settings: after a change, and when the guard has taken one back. A sshd that is off on purpose
# stays off. One that died of a change has to come back, which no reload does: Debian 12's unit is failed then, and
# Debian 13's may wait 90 s for the end of its reload.
timeout 10 systemctl try-reload-or-restart ssh.service
code=$?
[ "$(systemctl show --property ActiveState --value ssh.service)" != inactive ] || exit "$code"
[ "$(systemctl show --property MainPID --value ssh.service)" != 0 ] || exec systemctl restart ssh.service
# A reload that takes longer is judged by the new connection that has to confirm it.
[ "$code" -eq 124 ] || exit "$code"
