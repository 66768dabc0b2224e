--- Plain TCP: streams of bytes, for protocols other than the cluster's.
--
-- Mistakes in the use of a function raise; whatever the network or the other end does is told as
-- nil, or false, and a message. Everything that waits does so in the task that asked.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
local edition = require "silly.internal.edition"
local open = require "silly.internal.open"
require "silly.internal.start"

if core.loaded.tcp then
	return core.loaded.tcp --[[@as silly.net.tcp]]
end

local native = core.tcp
local native_read, native_conclude, native_write = native.read, native.conclude, native.write
local enter, suspend, insist = scheduler.task, scheduler.suspend, scheduler.insist
local newproxy = rawget(_G, "newproxy")

---@class silly.net.tcp
local tcp = {}
core.loaded.tcp = tcp

--- A connection, from `tcp.connect` or given to `accept`.
---@class silly.net.tcp.conn
---@field fd integer? names the connection, nil once it is closed; not the system's descriptor
---@field package slot integer
---@field package remote string
local conn = {}

--- What `tcp.listen` returns.
---@class silly.net.tcp.listener
---@field fd integer? names the listener, nil once it is closed; not the system's descriptor
---@field addr string the address really bound
local listener = {}
local listener_mt = { __index = listener, __name = "silly.net.tcp.listener" }

--- What `tcp.listen` takes.
---@class silly.net.tcp.conf
--- "ip:port", "[ipv6]:port", ":port" or "unix:/path"; port 0 lets the system choose, see the listener's
--- `addr`.
---@field addr string
--- Takes a connection in, as a task. If it raises, that is logged and the connection closed; if it
--- returns, the connection stays open as long as somebody keeps it.
---@field accept fun(conn: silly.net.tcp.conn)
--- Connections that may wait to be accepted; 256 by default. Too few refuses clients in a rush; more
--- than the system's own limit changes nothing.
---@field backlog? integer
--- Who may connect to a Unix socket: the rights of its file as octal digits, of which those to write
--- count; "600" by default, its owner only. "660" lets the group in, "666" everybody on the machine.
---@field mode? string

--- What `tcp.connect` takes besides.
---@class silly.net.tcp.connect_options
--- The "ip:port" to connect from, where port 0 lets the system choose; the system's choice by default.
---@field bind? string
--- Milliseconds to wait, 1 to 86,400,000; 5000 by default. Too short fails connects that a busy network
--- would have brought about; too long waits for hosts that are gone.
---@field timeout? integer

local DEFAULT_BACKLOG = 256
local DEFAULT_TIMEOUT = 5000
--- The longest time to wait, in milliseconds: a day.
local LONGEST = 24 * 3600 * 1000
--- Numbers up to here are exact.
local MOST = 2 ^ 53

--- What a task that reads is woken with when another one closes the connection.
local CLOSED = {}

-- Tasks that wait, by native slot. A task that reads keeps its connection, though nobody else may
-- know either of them.
---@type table<integer, thread>
local reading, connecting = {}, {}

local read_slots = scheduler.track(reading, "silly.net.tcp", native.withdraw)

local connect_slots = scheduler.track(connecting, "silly.net.tcp", native.abandon)

--- Has a task wait on a slot. What waits natively must not stay behind when memory fails in here.
---@return true
local function enlist(waiting, slots, slot, task)
	waiting[slot], slots[task] = task, slot
	return true
end

--- The accept callbacks of open listeners, by native id, and the listeners.
---@type table<integer, fun(conn: silly.net.tcp.conn)>, table<integer, silly.net.tcp.listener>
local accepts, listeners = {}, {}

--- Connections that have not been closed: it must not keep those that nobody else does.
---@type table<silly.net.tcp.conn, true>
local conns = setmetatable({}, { __mode = "k" })

--- The connection that each task that runs an accept callback was given.
---@type table<thread, silly.net.tcp.conn>
local guests = setmetatable({}, { __mode = "k" })

local conn_mt = {
	__index = conn,
	__name = "silly.net.tcp.conn",
}

--- For every function: the first argument must be a connection.
local A_CONN = "a connection from tcp.connect or accept"

local function is_conn(value)
	return getmetatable(value) == conn_mt
end

--- Closes the connection for good; so does the end of the scope of a `<close>` variable. What was written
--- is still sent, within 5 s; what was not read is dropped. A task that waits to read gets nil, "active
--- closed". A connection that nobody can reach any more is closed when Lua's collector finds it, which in
--- an idle process may be never.
---@return boolean ok false when it is closed already
---@return string? err "socket closed"
function conn:close()
	check.that(is_conn(self), "conn:close", "the first argument", A_CONN, self)
	local fd = self.fd
	if not fd then
		return false, "socket closed"
	end
	local slot = self.slot
	local reader = reading[slot]
	self.fd, conns[self] = nil, nil
	native.close(fd)
	if reader then
		reading[slot] = nil
		scheduler.ready(reader, CLOSED)
	end
	return true, nil
end

-- The end of a scope, an error, the end of the task: 5.4 and later.
conn_mt.__close = conn.close
-- A connection that nobody can reach any more.
conn_mt.__gc = conn.close

local function new_conn(fd)
	local remote, slot = native.describe(fd)
	local self = { fd = fd, remote = remote, slot = slot, remoteaddr = edition.newest and remote or nil }
	conns[self] = true -- before there is anything to finalise, should memory fail
	setmetatable(self, conn_mt)
	if newproxy then
		-- 5.1 and LuaJIT do not finalise tables: a userdata that only the connection knows stands in.
		self.proxy = newproxy(true)
		getmetatable(self.proxy).__gc = function()
			self:close()
		end
	end
	return self
end

--- Makes a connection of a native stream.
local function adopt(fd)
	local self = insist(new_conn, fd)
	if not self then
		native.close(fd)
		error(scheduler.NO_MEMORY, 0)
	end
	return self
end

loop.on_wait(core.events.STREAM_READY, reading)
loop.on_wait(core.events.STREAM_DIALED, connecting)

--- What runs an accept callback, in a task of its own.
local function welcome(accept, self)
	return function()
		local task = scheduler.current()
		guests[task] = self
		accept(self)
		guests[task] = nil
	end
end

loop.on(core.events.STREAM_ACCEPTED, function(id, fd)
	local accept = accepts[id]
	if accept then
		scheduler.start(welcome(accept, adopt(fd)))
	else
		native.close(fd) -- the listener was closed meanwhile
	end
end, function(_, fd)
	native.close(fd)
end)

scheduler.owes(guests)

-- An accept that fails or is cancelled loses its connection.
scheduler.watch(function(task)
	local guest = guests[task]
	if guest then
		guests[task] = nil
		guest:close()
		return "[tcp] accept of " .. guest.remote
	end
end)

-- Connections -----------------------------------------------------------------------------------

--- Reads so many bytes, or everything through a delimiter, and waits until they are there.
---
--- Once the other end has finished, whoever wants more than is there gets "" and "end of file";
--- what is there can still be read by its exact size, see `unreadbytes`. After a timeout the
--- connection can be used as before, and nothing is lost. Whoever waits for a delimiter takes as
--- much into memory as comes before it: with peers that are not trusted give a timeout, or read by
--- size.
---
--- Raises when another task waits to read from the connection.
---@async
---@param want integer|string a number of bytes, of which less than 1 is ""; or a delimiter of one
---  byte, which is part of what is returned
---@param timeout integer? milliseconds to wait, 0 to 86,400,000; as long as it takes by default. Too short
---  costs another read, and no data; without one a peer that stays silent keeps the task waiting.
---@return string? data what was asked for; "" at the end
---@return string? err "end of file", "read timeout", "socket closed" when it was closed before and
---  "active closed" when meanwhile, else what the system said, such as "Connection reset by peer"
function conn:read(want, timeout)
	local name = "conn:read"
	check.that(is_conn(self), name, "the first argument", A_CONN, self)
	if type(want) == "number" then
		want = check.integer(name, "the number of bytes", want, -MOST, MOST)
	else
		local one = type(want) == "string" and #want == 1
		check.that(one, name, "what to read", "a number of bytes or a delimiter of one byte", want)
	end
	if timeout ~= nil then
		timeout = check.integer(name, "the timeout", timeout, 0, LONGEST)
	end
	local fd = self.fd
	if fd and reading[self.slot] then
		error(name .. ": another task waits to read from this connection", 2)
	end
	local task = enter(name)
	if not fd then
		return nil, edition.reason("socket closed")
	end
	local data, why, slot = native_read(fd, want, timeout)
	if slot then
		if not insist(enlist, reading, read_slots, slot, task) then
			native.withdraw(slot)
			error(scheduler.NO_MEMORY, 0)
		end
		if suspend() == CLOSED then
			return nil, edition.reason("active closed")
		end
		data, why = native_conclude(fd)
	end
	if why and edition.newest then
		return nil, edition.reason(why)
	end
	return data, why
end

conn.readline = conn.read

--- Queues bytes to be sent. Never waits: `unsentbytes` tells how much the other end has yet to
--- take, which is kept in memory, however much it is.
---@param data string|string[] what to send; the strings of a list one after the other
---@return boolean ok false: nothing was queued
---@return string? err "socket closed" when this side has closed it, "socket is closed" when the
---  other end has
function conn:write(data)
	local name = "conn:write"
	check.that(is_conn(self), name, "the first argument", A_CONN, self)
	local kind = type(data)
	check.that(kind == "string" or kind == "table", name, "the data", "a string or a list of strings", data)
	local ok, why = native_write(self.fd, data)
	if ok == nil then
		check.that(false, name, ("element %d of the data"):format(why), "a string", data[why])
	end
	return ok, why
end

--- Whether it can be written to and more may arrive: nil once this side has closed it, false as
--- soon as the other end is known to have finished, even with bytes unread.
---@return boolean? alive
function conn:isalive()
	check.that(is_conn(self), "conn:isalive", "the first argument", A_CONN, self)
	if self.fd then
		return native.open(self.fd)
	end
	return nil
end

--- Sets how many unread bytes are enough: with so many nothing more is taken from the network
--- while nobody waits for more, so that the other end has to wait, too. A read of more than that still
--- gets what it asks for. Too low costs a wait for each read; too high memory for each such connection.
---@param bytes integer? unread; 1,048,576 by default. There is no way to have no limit, since what comes
---  from the network must not take all memory.
function conn:limit(bytes)
	check.that(is_conn(self), "conn:limit", "the first argument", A_CONN, self)
	if bytes ~= nil then
		bytes = check.integer("conn:limit", "the number of bytes", bytes, 0, MOST)
	end
	if self.fd then
		native.limit(self.fd, bytes)
	end
end

--- How many bytes have arrived and are not read; 0 once it is closed.
---@return integer bytes
function conn:unreadbytes()
	check.that(is_conn(self), "conn:unreadbytes", "the first argument", A_CONN, self)
	return self.fd and native.unread(self.fd) or 0
end

--- How many bytes are queued that the system has not taken yet; 0 once it is closed.
---@return integer bytes
function conn:unsentbytes()
	check.that(is_conn(self), "conn:unsentbytes", "the first argument", A_CONN, self)
	return self.fd and native.unsent(self.fd) or 0
end

--- The other end's "ip:port", or "unix:/path" of the socket between both; also once it is closed.
---@return string addr
function conn:remoteaddr()
	check.that(is_conn(self), "conn:remoteaddr", "the first argument", A_CONN, self)
	return self.remote
end

-- Listeners -------------------------------------------------------------------------------------

--- Stops listening; connections taken in before stay.
---@return boolean ok false when it is closed already
---@return string? err "closed"
function listener:close()
	local right = getmetatable(self) == listener_mt
	check.that(right, "listener:close", "the first argument", "a listener from tcp.listen", self)
	local fd = self.fd
	if not fd then
		return false, "closed"
	end
	self.fd, accepts[fd], listeners[fd] = nil, nil, nil
	native.close_listener(fd)
	return true, nil
end

-- The module ------------------------------------------------------------------------------------

--- Listens for connections. Does not wait, and needs no task. A listener stays open until it is closed,
--- whether or not anybody keeps it.
---
--- Raises when the form of the address is wrong.
---@param conf silly.net.tcp.conf where, and who takes the connections in
---@return silly.net.tcp.listener? listener
---@return string? err what the system said, such as "Address already in use"; "getaddrinfo failed"
---  when the host is no literal address
function tcp.listen(conf)
	local name = "tcp.listen"
	local given = type(conf) == "table" and conf or {}
	local addr, accept, backlog, mode = given.addr, given.accept, given.backlog, given.mode
	if type(conf) == "table" then
		check.options(name, "the argument", conf, { "addr", "accept", "backlog", "mode" })
	end
	if addr == nil then
		error("tcp.listen missing addr", 2)
	elseif accept == nil then
		error("tcp.listen missing accept", 2)
	end
	check.type(name, "option 'addr'", addr, "string")
	check.type(name, "option 'accept'", accept, "function")
	if backlog ~= nil then
		backlog = check.integer(name, "option 'backlog'", backlog, 1, 2 ^ 31 - 1)
	end
	if mode ~= nil then
		mode = check.mode(name, "option 'mode'", mode)
	end
	local fd, bound, malformed = native.listen(addr, backlog or DEFAULT_BACKLOG, mode)
	if fd then
		local self = setmetatable({ fd = fd, addr = bound }, listener_mt)
		accepts[fd], listeners[fd] = accept, self
		return self, nil
	elseif malformed then
		error(name .. ": " .. bound, 2)
	end
	return nil, bound
end

--- Connects to a literal address. Names are not looked up: `dns.lookup` does that.
---@async
---@param addr string "ip:port", "[ipv6]:port" or "unix:/path"
---@param opts? silly.net.tcp.connect_options where from, and how long to try; none by default
---@return silly.net.tcp.conn? conn
---@return string? err what the system said, such as "Connection refused", and "Connection timed
---  out" when the time was up; "getaddrinfo failed" when the host is no literal address; "invalid
---  address:..." and "invalid bind address:..." when one is malformed
function tcp.connect(addr, opts)
	local name = "tcp.connect"
	if addr == nil then
		error("tcp.connect missing addr", 2)
	end
	check.type(name, "the address", addr, "string")
	local bind, timeout
	if opts ~= nil then
		check.options(name, "the options", opts, { "bind", "timeout" })
		bind, timeout = opts.bind, opts.timeout
		if bind ~= nil then
			check.type(name, "option 'bind'", bind, "string")
		end
		if timeout ~= nil then
			timeout = check.integer(name, "option 'timeout'", timeout, 1, LONGEST)
		end
	end
	local task = enter(name)
	local slot, attempt, refused = native.connect(addr, bind, timeout or DEFAULT_TIMEOUT)
	if not slot then
		return nil, edition.reason(refused)
	end
	if not insist(enlist, connecting, connect_slots, slot, task) then
		native.abandon(slot)
		error(scheduler.NO_MEMORY, 0)
	end
	suspend()
	local fd, why = native.connected(attempt)
	if not fd then
		return nil, edition.reason(why)
	end
	return adopt(fd), nil
end

open.kind {
	name = "TCP listener",
	list = function()
		local list = {}
		for _, self in pairs(listeners) do
			list[#list + 1] = self
		end
		return list
	end,
	close = listener.close,
	tell = function()
		local lines = {}
		for _, self in pairs(listeners) do
			lines[#lines + 1] = self.addr
		end
		return lines
	end,
}

open.kind {
	name = "TCP connection",
	list = function()
		local list = {}
		for self in pairs(conns) do
			list[#list + 1] = self
		end
		return list
	end,
	close = conn.close,
	tell = function()
		local lines = {}
		for self in pairs(conns) do
			lines[#lines + 1] = "with " .. self.remote
		end
		return lines
	end,
}

-- The functions of a connection under the names that older scripts use.
tcp.read, tcp.write, tcp.close = conn.read, conn.write, conn.close
tcp.isalive, tcp.limit = conn.isalive, conn.limit
tcp.recvsize, tcp.sendsize = conn.unreadbytes, conn.unsentbytes

return tcp
