// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only file that knows ncurses. What gives the terminal back when we are
 * killed is prepared at open, as nothing of ncurses may be called in a signal
 * handler. It waits for a terminal that takes nothing as long as that lasts, so
 * it is asked before, and sf_signals_tick() ends us if it is caught all the same.
 */
#include "cmd/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#ifdef WITH_NCURSES

#include <curses.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>

#include "cmd/signals.h"
#include "view/fit.h"

#define RED_PAIR 1
#define PATIENCE_MS 200

static struct {
	SCREEN *screen; /* NULL: not open */
	struct termios before;
	char farewell[256]; /* leaves the other screen, shows the cursor */
	size_t farewell_len;
	bool is_coloured;
} terminal;

bool sf_screen_is_built_in(void)
{
	return true;
}

/* Does the terminal take anything? Not if it was stopped (Ctrl-S), or its reader hangs. */
static bool can_write(int wait_ms)
{
	struct pollfd pollfd = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&pollfd, 1, wait_ms) > 0;
}

/* Called in a signal handler. */
static void give_back(void)
{
	/* A few bytes: where there is room for one, there is for them. */
	if (can_write(PATIENCE_MS) &&
	    write(STDOUT_FILENO, terminal.farewell, terminal.farewell_len) < 0)
		errno = 0; /* there is nobody left to tell */
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static int keep_character(int c)
{
	if (terminal.farewell_len < sizeof(terminal.farewell))
		terminal.farewell[terminal.farewell_len++] = (char)c;
	return c;
}

/* What terminfo says of leaving: attributes off, keypad off, the other screen left, the cursor. */
static void prepare_farewell(void)
{
	static const char *const names[] = { "sgr0", "rmkx", "rmcup", "cnorm" };

	terminal.farewell_len = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = tigetstr(names[i]);

		if (text && text != (char *)-1)
			tputs(text, 1, keep_character);
	}
	sf_signals_last_words(give_back);
}

int sf_screen_open(bool is_coloured)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &terminal.before))
		return -ENOTTY;
	/* It would go on tracing, unread; and ncurses' handler of it hangs in the background. */
	signal(SIGTSTP, SIG_IGN);
	/* initscr() would end the program where TERM is not described. */
	terminal.screen = newterm(NULL, stdout, stdin);
	if (!terminal.screen)
		return -ENOENT;
	prepare_farewell();
	terminal.is_coloured = is_coloured && has_colors() && start_color() == OK;
	if (terminal.is_coloured) {
		use_default_colors();
		init_pair(RED_PAIR, COLOR_RED, -1);
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	return 0;
}

void sf_screen_close(void)
{
	if (!terminal.screen)
		return;
	if (can_write(PATIENCE_MS))
		endwin();
	else
		give_back();
	sf_signals_last_words(NULL);
	delscreen(terminal.screen);
	terminal.screen = NULL;
}

void sf_screen_resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

unsigned int sf_screen_width(void)
{
	return (unsigned int)COLS;
}

unsigned int sf_screen_height(void)
{
	return (unsigned int)LINES;
}

void sf_screen_clear(void)
{
	erase();
}

static attr_t attributes_of(enum sf_screen_look look)
{
	attr_t red = terminal.is_coloured ? COLOR_PAIR(RED_PAIR) : A_BOLD;

	switch (look) {
	case SF_LOOK_TITLE:
		return A_BOLD;
	case SF_LOOK_HEADER:
	case SF_LOOK_PICKED:
		return A_REVERSE;
	case SF_LOOK_BAD:
		return red;
	case SF_LOOK_BAD_PICKED:
		return red | A_REVERSE;
	case SF_LOOK_FAINT:
		return A_DIM;
	default:
		return A_NORMAL;
	}
}

void sf_screen_put(unsigned int y, enum sf_screen_look look, const char *text)
{
	attr_t attributes = attributes_of(look);

	if (y >= (unsigned int)LINES)
		return;
	attrset((int)attributes);
	if (attributes & A_REVERSE) /* a bar goes to the edge */
		mvhline((int)y, 0, ' ' | attributes, COLS);
	mvaddnstr((int)y, 0, text, (int)sf_bytes_within(text, (size_t)COLS)); /* or it wraps */
	attrset(A_NORMAL);
}

void sf_screen_show(void)
{
	/* What it does not take now it gets later. */
	if (can_write(0))
		refresh();
}

int sf_screen_key(void)
{
	/* getch() refreshes first. */
	int key = can_write(0) ? getch() : ERR;

	switch (key) {
	case ERR:
		return SF_KEY_NONE;
	case KEY_UP:
		return SF_KEY_UP;
	case KEY_DOWN:
		return SF_KEY_DOWN;
	case KEY_PPAGE:
		return SF_KEY_PAGE_UP;
	case KEY_NPAGE:
		return SF_KEY_PAGE_DOWN;
	case KEY_HOME:
		return SF_KEY_HOME;
	case KEY_END:
		return SF_KEY_END;
	case KEY_BACKSPACE:
	case '\b':
	case 127:
		return SF_KEY_BACKSPACE;
	case '\r':
	case '\n':
	case KEY_ENTER:
		return SF_KEY_ENTER;
	default:
		return key < 0x80 ? key : SF_KEY_OTHER;
	}
}

#else

bool sf_screen_is_built_in(void)
{
	return false;
}

int sf_screen_open(bool is_coloured)
{
	(void)is_coloured;
	return -ENOSYS;
}

void sf_screen_close(void)
{
}

void sf_screen_resize(void)
{
}

unsigned int sf_screen_width(void)
{
	return 0;
}

unsigned int sf_screen_height(void)
{
	return 0;
}

void sf_screen_clear(void)
{
}

void sf_screen_put(unsigned int y, enum sf_screen_look look, const char *text)
{
	(void)y;
	(void)look;
	(void)text;
}

void sf_screen_show(void)
{
}

int sf_screen_key(void)
{
	return SF_KEY_NONE;
}

#endif
