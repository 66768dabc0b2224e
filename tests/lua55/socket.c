/* What the tests use of LuaSocket, which has no package for Lua 5.5: the same functions, with the same
 * results and the same words for what went wrong. A socket never blocks; where a function waits, poll
 * does.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#define CLASS "socket"
#define BACKLOG 32
#define DATAGRAM 8192
#define CLOSED -1
#define FOREVER -1.0

struct sock {
	int fd, family, type;
	double timeout; /* seconds, or FOREVER */
};

static double now(void)
{
	struct timeval time;
	gettimeofday(&time, NULL);
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* When a wait of so many seconds is over. */
static double deadline_of(double timeout)
{
	return timeout < 0 ? FOREVER : now() + timeout;
}

/* poll until a deadline, whatever signals come. */
static int poll_until(struct pollfd *all, nfds_t count, double deadline)
{
	int ready;
	do {
		int wait = -1;
		if (deadline >= 0) {
			double left = ceil((deadline - now()) * 1000);
			wait = left < 0 ? 0 : (int)left;
		}
		ready = poll(all, count, wait);
	} while (ready < 0 && errno == EINTR);
	return ready;
}

/* Waits until a socket can do something; 0, or what stands in the way. */
static int wait_for(const struct sock *sock, short event, double deadline)
{
	struct pollfd one = { sock->fd, event, 0 };
	return poll_until(&one, 1, deadline) == 0 ? ETIMEDOUT : 0;
}

static int is_again(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK;
}

static const char *words_of(int error)
{
	switch (error) {
	case EADDRINUSE: return "address already in use";
	case EPIPE: case ECONNRESET: case EBADF: return "closed";
	case ECONNREFUSED: return "connection refused";
	case ETIMEDOUT: case EAGAIN: case EINPROGRESS: return "timeout";
	default: return strerror(error);
	}
}

static int failure(lua_State *L, int error)
{
	lua_pushnil(L);
	lua_pushstring(L, words_of(error));
	return 2;
}

/* 1, or what the system said about a call that gave a negative number. */
static int outcome(lua_State *L, int result)
{
	if (result < 0)
		return failure(L, errno);
	lua_pushinteger(L, 1);
	return 1;
}

static struct sock *check(lua_State *L)
{
	return luaL_checkudata(L, 1, CLASS);
}

static int adopt(lua_State *L, int fd, int family, int type)
{
	struct sock *sock;
	if (fd < 0)
		return failure(L, errno);
	sock = lua_newuserdatauv(L, sizeof(*sock), 0);
	sock->fd = fd;
	sock->family = family;
	sock->type = type;
	sock->timeout = FOREVER;
	luaL_setmetatable(L, CLASS);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 1;
}

/* The address that the arguments from `first` on name, as host and port; 0, or pushes what was wrong. */
static int read_address(lua_State *L, int first, const struct sock *sock, struct sockaddr_storage *address,
	socklen_t *size)
{
	const char *host = luaL_checkstring(L, first);
	struct addrinfo hints, *found;
	char port[8];
	int problem;
	snprintf(port, sizeof(port), "%d", (int)luaL_checkinteger(L, first + 1) & 0xffff);
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = sock->family;
	hints.ai_socktype = sock->type;
	hints.ai_flags = AI_NUMERICSERV;
	problem = getaddrinfo(host, port, &hints, &found);
	if (problem) {
		lua_pushnil(L);
		lua_pushstring(L, gai_strerror(problem));
		return 2;
	}
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*size = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int push_address(lua_State *L, const struct sockaddr_storage *address, socklen_t size)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	if (getnameinfo((const struct sockaddr *)address, size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return failure(L, EINVAL);
	lua_pushstring(L, host);
	lua_pushstring(L, port);
	lua_pushstring(L, address->ss_family == AF_INET6 ? "inet6" : "inet");
	return 3;
}

/* Methods ------------------------------------------------------------------------------------- */

static int method_accept(lua_State *L)
{
	struct sock *sock = check(L);
	double deadline = deadline_of(sock->timeout);
	int fd;
	while ((fd = accept(sock->fd, NULL, NULL)) < 0 && is_again(errno)) {
		int problem = wait_for(sock, POLLIN, deadline);
		if (problem)
			return failure(L, problem);
	}
	return adopt(L, fd, sock->family, sock->type);
}

static int method_bind(lua_State *L)
{
	struct sock *sock = check(L);
	struct sockaddr_storage address;
	socklen_t size;
	int problem = read_address(L, 2, sock, &address, &size);
	return problem ? problem : outcome(L, bind(sock->fd, (struct sockaddr *)&address, size));
}

static int method_close(lua_State *L)
{
	struct sock *sock = check(L);
	if (sock->fd != CLOSED)
		close(sock->fd);
	sock->fd = CLOSED;
	lua_pushinteger(L, 1);
	return 1;
}

static int method_connect(lua_State *L)
{
	struct sock *sock = check(L);
	double deadline = deadline_of(sock->timeout);
	struct sockaddr_storage address;
	socklen_t size;
	int problem = read_address(L, 2, sock, &address, &size);
	if (problem)
		return problem;
	if (connect(sock->fd, (struct sockaddr *)&address, size) == 0)
		return outcome(L, 0);
	problem = errno;
	if (problem == EINPROGRESS)
		problem = wait_for(sock, POLLOUT, deadline);
	if (!problem) {
		size = sizeof(problem);
		getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
	}
	return problem ? failure(L, problem) : outcome(L, 0);
}

static int method_getpeername(lua_State *L)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	if (getpeername(check(L)->fd, (struct sockaddr *)&address, &size) < 0)
		return failure(L, errno);
	return push_address(L, &address, size);
}

static int method_getsockname(lua_State *L)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	if (getsockname(check(L)->fd, (struct sockaddr *)&address, &size) < 0)
		return failure(L, errno);
	return push_address(L, &address, size);
}

static int method_listen(lua_State *L)
{
	return outcome(L, listen(check(L)->fd, (int)luaL_optinteger(L, 2, BACKLOG)));
}

/* One datagram; the sender's address, too, where one is asked for. */
static int receive_datagram(lua_State *L, struct sock *sock, int with_sender)
{
	double deadline = deadline_of(sock->timeout);
	struct sockaddr_storage sender;
	socklen_t size;
	char bytes[DATAGRAM];
	ssize_t count;
	for (;;) {
		int problem;
		size = sizeof(sender);
		count = recvfrom(sock->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&sender, &size);
		if (count >= 0)
			break;
		problem = is_again(errno) ? wait_for(sock, POLLIN, deadline) : errno;
		if (problem)
			return failure(L, problem);
	}
	lua_pushlstring(L, bytes, (size_t)count);
	return with_sender ? push_address(L, &sender, size) : 1;
}

/* So many bytes of a stream; or nil, why not, and those that came. */
static int receive_stream(lua_State *L, struct sock *sock, size_t wanted)
{
	double deadline = deadline_of(sock->timeout);
	size_t have = 0;
	int problem = 0;
	luaL_Buffer buffer;
	char *bytes = luaL_buffinitsize(L, &buffer, wanted);
	while (have < wanted && !problem) {
		ssize_t count = recv(sock->fd, bytes + have, wanted - have, 0);
		if (count > 0)
			have += (size_t)count;
		else if (count == 0)
			problem = EPIPE;
		else
			problem = is_again(errno) ? wait_for(sock, POLLIN, deadline) : errno;
	}
	luaL_pushresultsize(&buffer, have);
	if (!problem)
		return 1;
	failure(L, problem);
	lua_rotate(L, -3, 2);
	return 3;
}

static int method_receive(lua_State *L)
{
	struct sock *sock = check(L);
	if (sock->type == SOCK_DGRAM)
		return receive_datagram(L, sock, 0);
	return receive_stream(L, sock, (size_t)luaL_checkinteger(L, 2));
}

static int method_receivefrom(lua_State *L)
{
	int count = receive_datagram(L, check(L), 1);
	if (count == 3) { /* no family */
		lua_pop(L, 1);
		return 3;
	}
	return count;
}

/* The position of the last byte that was sent; or nil, why no more were, and that position. */
static int method_send(lua_State *L)
{
	struct sock *sock = check(L);
	double deadline = deadline_of(sock->timeout);
	size_t size, sent;
	const char *bytes = luaL_checklstring(L, 2, &size);
	int problem = 0;
	sent = (size_t)luaL_optinteger(L, 3, 1) - 1;
	while (sent < size && !problem) {
		ssize_t count = send(sock->fd, bytes + sent, size - sent, MSG_NOSIGNAL);
		if (count >= 0)
			sent += (size_t)count;
		else
			problem = is_again(errno) ? wait_for(sock, POLLOUT, deadline) : errno;
	}
	if (problem)
		failure(L, problem);
	lua_pushinteger(L, (lua_Integer)sent);
	return problem ? 3 : 1;
}

static int method_sendto(lua_State *L)
{
	struct sock *sock = check(L);
	size_t length;
	const char *bytes = luaL_checklstring(L, 2, &length);
	struct sockaddr_storage address;
	socklen_t size;
	int problem = read_address(L, 3, sock, &address, &size);
	if (problem)
		return problem;
	return outcome(L, (int)sendto(sock->fd, bytes, length, 0, (struct sockaddr *)&address, size));
}

static int method_setoption(lua_State *L)
{
	static const char *const names[] = { "linger", "reuseaddr", "tcp-nodelay", NULL };
	int fd = check(L)->fd, on;
	switch (luaL_checkoption(L, 2, NULL, names)) {
	case 0: {
		struct linger linger;
		luaL_checktype(L, 3, LUA_TTABLE);
		lua_getfield(L, 3, "on");
		linger.l_onoff = lua_toboolean(L, -1);
		lua_getfield(L, 3, "timeout");
		linger.l_linger = (int)luaL_checkinteger(L, -1);
		return outcome(L, setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	}
	case 1:
		on = lua_toboolean(L, 3);
		return outcome(L, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	default:
		on = lua_toboolean(L, 3);
		return outcome(L, setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	}
}

static int method_settimeout(lua_State *L)
{
	check(L)->timeout = luaL_optnumber(L, 2, FOREVER);
	lua_pushinteger(L, 1);
	return 1;
}

static int method_shutdown(lua_State *L)
{
	static const char *const names[] = { "receive", "send", "both", NULL };
	static const int ways[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	int way = ways[luaL_checkoption(L, 2, "both", names)];
	return outcome(L, shutdown(check(L)->fd, way));
}

static int method_getfd(lua_State *L)
{
	lua_pushinteger(L, check(L)->fd);
	return 1;
}

/* Functions ----------------------------------------------------------------------------------- */

static int create(lua_State *L, int family, int type)
{
	return adopt(L, socket(family, type, 0), family, type);
}

static int create_tcp4(lua_State *L)
{
	return create(L, AF_INET, SOCK_STREAM);
}

static int create_tcp6(lua_State *L)
{
	return create(L, AF_INET6, SOCK_STREAM);
}

static int create_udp4(lua_State *L)
{
	return create(L, AF_INET, SOCK_DGRAM);
}

/* A socket on which a method has been called with the arguments; or nil and why that failed. */
static int created_by(lua_State *L, lua_CFunction method)
{
	if (create_tcp4(L) != 1)
		return 2;
	lua_pushcfunction(L, method);
	lua_pushvalue(L, -2);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_call(L, 3, 2);
	if (lua_isnil(L, -2))
		return 2;
	lua_pop(L, 2);
	return 1;
}

static int socket_connect(lua_State *L)
{
	return created_by(L, method_connect);
}

/* A server at host and port. */
static int socket_bind(lua_State *L)
{
	struct sock *sock;
	int backlog = (int)luaL_optinteger(L, 3, BACKLOG);
	if (created_by(L, method_bind) != 1)
		return 2;
	sock = lua_touserdata(L, -1);
	return listen(sock->fd, backlog) < 0 ? failure(L, errno) : 1;
}

static int socket_gettime(lua_State *L)
{
	lua_pushnumber(L, now());
	return 1;
}

static int socket_sleep(lua_State *L)
{
	poll_until(NULL, 0, deadline_of(luaL_checknumber(L, 1)));
	return 0;
}

/* Which of a list can be read: the list of them, with each as a key besides, an empty one for those that
 * can be written, which nobody asks for, and "timeout" where there is none. Whatever says its descriptor
 * when asked for it with getfd may be in there.
 */
static int socket_select(lua_State *L)
{
	double deadline = deadline_of(luaL_optnumber(L, 3, FOREVER));
	struct pollfd *all;
	lua_Integer count, index, ready = 0;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argcheck(L, lua_isnoneornil(L, 2), 2, "only what can be read is looked for");
	count = luaL_len(L, 1);
	all = lua_newuserdatauv(L, sizeof(*all) * (size_t)(count + 1), 0);
	for (index = 0; index < count; index++) {
		lua_geti(L, 1, index + 1);
		lua_getfield(L, -1, "getfd");
		lua_insert(L, -2);
		lua_call(L, 1, 1);
		all[index].fd = (int)luaL_checkinteger(L, -1);
		all[index].events = POLLIN;
		lua_pop(L, 1);
	}
	poll_until(all, (nfds_t)count, deadline);
	lua_newtable(L);
	for (index = 0; index < count; index++) {
		if (!all[index].revents)
			continue;
		lua_geti(L, 1, index + 1);
		lua_pushvalue(L, -1);
		lua_seti(L, -3, ++ready);
		lua_pushboolean(L, 1);
		lua_settable(L, -3);
	}
	lua_newtable(L);
	if (ready)
		return 2;
	lua_pushliteral(L, "timeout");
	return 3;
}

int luaopen_socket(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "accept", method_accept }, { "bind", method_bind }, { "close", method_close },
		{ "connect", method_connect }, { "getfd", method_getfd },
		{ "getpeername", method_getpeername }, { "getsockname", method_getsockname },
		{ "listen", method_listen }, { "receive", method_receive },
		{ "receivefrom", method_receivefrom }, { "send", method_send }, { "sendto", method_sendto },
		{ "setoption", method_setoption }, { "setpeername", method_connect },
		{ "setsockname", method_bind }, { "settimeout", method_settimeout },
		{ "shutdown", method_shutdown }, { NULL, NULL },
	};
	static const luaL_Reg functions[] = {
		{ "bind", socket_bind }, { "connect", socket_connect }, { "gettime", socket_gettime },
		{ "select", socket_select }, { "sleep", socket_sleep }, { "tcp4", create_tcp4 },
		{ "tcp6", create_tcp6 }, { "udp4", create_udp4 }, { NULL, NULL },
	};
	luaL_newmetatable(L, CLASS);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, method_close);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
