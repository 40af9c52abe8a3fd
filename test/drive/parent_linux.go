package drive

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the process when ours is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
