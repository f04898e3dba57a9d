package tools

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endOfTransmission is Ctrl-D.
const endOfTransmission = "\x04"

// onTerminal runs the command with a pseudo-terminal as its input and output, types the text and
// Ctrl-D, and returns what it showed once the command has ended.
func onTerminal(command *exec.Cmd, text string) (string, error) {
	keyboard, screen, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer keyboard.Close()
	command.Stdin, command.Stdout, command.Stderr = screen, screen, screen
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		screen.Close()
		return "", err
	}
	screen.Close()
	giveUp := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer giveUp.Stop()
	if _, err := io.WriteString(keyboard, text+endOfTransmission); err != nil {
		return "", err
	}
	shown, _ := io.ReadAll(keyboard) // ends with EIO when the command has closed the terminal
	err = command.Wait()
	return strings.ReplaceAll(string(shown), "\r\n", "\n"), err
}

// openTerminal makes a pseudo-terminal that doesn't echo: its two ends.
func openTerminal() (keyboard, screen *os.File, err error) {
	keyboard, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	settings, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	if err != nil {
		return nil, nil, err
	}
	settings.Lflag &^= unix.ECHO
	return keyboard, screen, unix.IoctlSetTermios(int(screen.Fd()), unix.TCSETS, settings)
}
