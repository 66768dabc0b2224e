--- Peers that are no part of the library: plain sockets, which speak whatever bytes a test wants.
--- Their waits let the loop run.

local socket = require "socket"
local time = require "silly.time"
local wire = require "spec.support.wire"

local raw = {}

local PATIENCE = 5000
local open = {}

local Peer = {}
Peer.__index = Peer

local function adopt(sock)
	sock:settimeout(0)
	sock:setoption("tcp-nodelay", true)
	local peer = setmetatable({ sock = sock, arrived = "", chunks = {} }, Peer)
	open[#open + 1] = peer
	return peer
end

--- Asks `probe` again and again until it gives something, or nil when the time is up.
local function poll(probe, limit)
	local deadline = time.monotonic() + (limit or PATIENCE)
	repeat
		local result = probe()
		if result then
			return result
		end
		time.sleep(1)
	until time.monotonic() > deadline
	return nil
end

--- Connects; on loopback the kernel does its part without anybody accepting.
function raw.connect(addr)
	local host, port = addr:match("^%[?(.-)%]?:(%d+)$")
	local sock = assert((host:find(":") and socket.tcp6 or socket.tcp4)())
	sock:settimeout(2)
	assert(sock:connect(host, tonumber(port)))
	return adopt(sock)
end

--- This socket's own "ip:port".
function Peer:name()
	local host, port, family = self.sock:getsockname()
	return (family == "inet6" and "[%s]:%d" or "%s:%d"):format(host, tonumber(port))
end

--- Writes everything.
function Peer:send(bytes)
	local position = 1
	local sent = poll(function()
		local last, why, partial = self.sock:send(bytes, position)
		if last then
			return "all"
		elseif why ~= "timeout" then
			return why
		end
		position = partial + 1
	end)
	assert(sent == "all", "raw send: " .. tostring(sent))
end

--- Reads what is there.
function Peer:pull()
	while not self.ended do
		local data, why, partial = self.sock:receive(65536)
		data = data or partial
		if #data > 0 then
			self.chunks[#self.chunks + 1] = data
		end
		if why == "timeout" then
			break
		elseif why then
			self.ended = why
		end
	end
	if #self.chunks > 0 then
		self.arrived = self.arrived .. table.concat(self.chunks)
		self.chunks = {}
	end
end

--- The next frame; nil when the connection has ended, or when none comes in time. Documented ones,
--- unless `generation` has the functions of another.
function Peer:frame(limit, generation)
	local decode = (generation or wire).decode
	return poll(function()
		self:pull()
		local frame, rest = decode(self.arrived)
		self.arrived = rest
		return frame or self.ended and "ended"
	end, limit)
end

--- Every frame up to `count`, faster than one by one.
function Peer:frames(count)
	local frames, at = {}, 1
	poll(function()
		self:pull()
		while #frames < count do
			local high, low = self.arrived:byte(at, at + 1)
			local size = low and high * 256 + low + 2
			if not size or #self.arrived - at + 1 < size then
				break
			end
			frames[#frames + 1] = wire.decode(self.arrived:sub(at, at + size - 1))
			at = at + size
		end
		self.arrived, at = self.arrived:sub(at), 1
		return #frames >= count or self.ended
	end)
	return frames
end

--- Reads so many bytes to be, a piece at a time, and says where they differ from what was expected:
--- of any amount, in constant memory.
---@param expected fun(): string the next part of what is to come
function Peer:differs(total, expected)
	local ours, at = "", 0
	local verdict = poll(function()
		local why
		repeat
			local data, partial
			data, why, partial = self.sock:receive(65536)
			data = data or partial
			while #ours < #data do
				ours = ours .. expected()
			end
			if ours:sub(1, #data) ~= data then
				return at
			end
			ours, at = ours:sub(#data + 1), at + #data
		until why or at >= total
		return at >= total and "equal" or why ~= "timeout" and at
	end, 100000)
	return verdict ~= "equal" and (verdict or at) or nil
end

--- True once the other end has closed.
function Peer:has_ended(limit)
	return poll(function()
		self:pull()
		return self.ended
	end, limit) ~= nil
end

--- True while nothing comes for so many milliseconds and the connection stays.
function Peer:is_silent(limit)
	return self:frame(limit) == nil and not self.ended
end

function Peer:close()
	self.sock:close()
end

--- Ends the connection with a reset.
function Peer:reset()
	self.sock:setoption("linger", { on = true, timeout = 0 })
	self.sock:close()
end

local Server = {}
Server.__index = Server

--- Listens; takes nothing in until asked to.
function raw.listen(backlog, port, host)
	host = host or "127.0.0.1"
	local sock = assert(socket.tcp4())
	sock:setoption("reuseaddr", true)
	assert(sock:bind(host, port or 0))
	assert(sock:listen(backlog or 32))
	sock:settimeout(0)
	local _, bound = sock:getsockname()
	local server = setmetatable({ sock = sock, addr = host .. ":" .. bound }, Server)
	open[#open + 1] = server
	return server
end

--- The next connection, or nil when none comes in time.
function Server:accept(limit)
	local sock = poll(function()
		return (self.sock:accept())
	end, limit)
	return sock and adopt(sock)
end

function Server:close()
	self.sock:close()
end

--- An address of this machine where nobody listens.
function raw.dead_address()
	local server = raw.listen()
	server:close()
	return server.addr
end

--- A server whose queue is full, so that a dial to it gets no answer at all.
function raw.silent_server(port, host)
	local server = raw.listen(0, port, host)
	server.first = raw.connect(server.addr)
	return server
end

--- Closes whatever a test has left open.
function raw.close_all()
	for _, one in ipairs(open) do
		one:close()
	end
	open = {}
end

raw.poll = poll

return raw
