/* A program with two Lua states in threads of their own, for the specs:
 *
 *   guests a.lua b.lua ab|ba
 *
 * Each file is run in a state that its own thread has opened, and defines phase(number). Both
 * states' phase(1) run in the threads that opened them, at the same time; then both phase(2) in
 * two other threads; then the states are closed in the order asked for, in yet another.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define NOTES 8
#define LENGTH 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char notes[NOTES][2][LENGTH];

struct guest {
	const char *file;
	lua_State *L;
	int phase;
	int failed;
};

/* note(name, text): leaves word for the other state. */
static int note(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
	int index;
	pthread_mutex_lock(&lock);
	for (index = 0; index < NOTES && notes[index][0][0]; index++)
		;
	if (index < NOTES) {
		snprintf(notes[index][0], LENGTH, "%s", name);
		snprintf(notes[index][1], LENGTH, "%s", text);
	}
	pthread_mutex_unlock(&lock);
	return index < NOTES ? 0 : luaL_error(L, "no room for %s", name);
}

/* noted(name): the text, or nil. */
static int noted(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char text[LENGTH] = "";
	int index;
	pthread_mutex_lock(&lock);
	for (index = 0; index < NOTES; index++)
		if (strcmp(notes[index][0], name) == 0)
			strcpy(text, notes[index][1]);
	pthread_mutex_unlock(&lock);
	if (!text[0])
		return 0;
	lua_pushstring(L, text);
	return 1;
}

static void *visit(void *argument)
{
	struct guest *guest = argument;
	if (!guest->L) {
		guest->L = luaL_newstate();
		luaL_openlibs(guest->L);
		lua_register(guest->L, "note", note);
		lua_register(guest->L, "noted", noted);
		guest->failed = luaL_dofile(guest->L, guest->file);
	}
	if (!guest->failed) {
		lua_getglobal(guest->L, "phase");
		lua_pushinteger(guest->L, guest->phase);
		guest->failed = lua_pcall(guest->L, 1, 0, 0);
	}
	if (guest->failed)
		fprintf(stderr, "guests: %s\n", lua_tostring(guest->L, -1));
	return NULL;
}

static void *leave(void *argument)
{
	struct guest *guest = argument;
	lua_close(guest->L);
	return NULL;
}

static void in_a_thread(void *(*body)(void *), struct guest *guest)
{
	pthread_t thread;
	pthread_create(&thread, NULL, body, guest);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	struct guest guests[2] = { { argv[1], NULL, 0, 0 }, { argv[2], NULL, 0, 0 } };
	int phase, first = argc > 3 && strcmp(argv[3], "ba") == 0;
	for (phase = 1; phase <= 2; phase++) {
		pthread_t threads[2];
		int index;
		for (index = 0; index < 2; index++) {
			guests[index].phase = phase;
			pthread_create(&threads[index], NULL, visit, &guests[index]);
		}
		for (index = 0; index < 2; index++)
			pthread_join(threads[index], NULL);
	}
	in_a_thread(leave, &guests[first]);
	in_a_thread(leave, &guests[!first]);
	puts("guests: done");
	return guests[0].failed || guests[1].failed;
}
