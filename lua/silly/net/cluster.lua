--- The cluster: calls between nodes over TCP.
--
-- Mistakes in the use of a function raise; whatever the network or the other end does is told as
-- nil and a message. Everything that waits does so in the task that asked, and only in there.

local core = require "silly.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
local logger = require "silly.logger"
require "silly.internal.start"

if core.loaded.cluster then
	return core.loaded.cluster
end

---@class silly.net.cluster
local cluster = {}
core.loaded.cluster = cluster

---@class silly.net.cluster.peer
---@field fd integer? opaque, set while the peer is connected
---@field addr string? where to connect; accepted peers have none

---@class silly.net.cluster.listener
---@field fd integer? opaque, nil once it is closed
---@field addr string the address really bound

---@class silly.net.cluster.conf
---@field marshal fun(kind: "request"|"response", cmd: any, body: any): integer?, string?
---@field unmarshal fun(kind: "request"|"response", cmd: any, data: string): any, string?
---@field call fun(peer: silly.net.cluster.peer, cmd: integer, body: any): any
---@field accept? fun(peer: silly.net.cluster.peer, addr: string)
---@field close? fun(peer: silly.net.cluster.peer, errno: integer)
---@field timeout? integer

local OPTIONS = { "marshal", "unmarshal", "call", "accept", "close", "timeout" }
local DEFAULT_TIMEOUT = 5000
local DEFAULT_BACKLOG = 128
--- A day; calls that outlive it are not calls any more.
local LONGEST_TIMEOUT = 24 * 3600 * 1000

-- Where a handle keeps its native id, and the address it dials, whatever a script does to its
-- fields: keys no script can collide with. Accepted peers have no address.
local PEER, LISTENER, ADDRESS = {}, {}, {}

local native_call, native_send, respond = core.call, core.send, core.respond
local enter, suspend = scheduler.task, scheduler.suspend
local traces = scheduler.traces

--- What serve has set; the functions are nil before.
local marshal, unmarshal, serve_call, serve_accept, serve_close
local timeout = DEFAULT_TIMEOUT

--- Peers by native slot, which is used again.
---@type table<integer, silly.net.cluster.peer>
local peers = {}

--- Shared handles by address, until they are closed.
---@type table<string, silly.net.cluster.peer>
local shared = {}

--- Tasks that wait for a request's end, by native slot.
---@type table<integer, thread>
local waiting = {}

--- The connection that each task with a request in hand owes an answer. Strong keys: a handler
--- that nobody else knows must not be collected while the other end waits.
---@type table<thread, integer>
local owed = {}

--- The peer that each task that runs an accept callback was given.
---@type table<thread, silly.net.cluster.peer>
local guests = setmetatable({}, { __mode = "k" })

local function demand_serve(name)
	if not marshal then
		error(name .. ": call cluster.serve first, with marshal, unmarshal and call", 3)
	end
end

--- Waits for the end of a request: data or true; or nil and why not.
---@async
local function await(slot, task)
	waiting[slot] = task
	return suspend()
end

--- The native id of a peer; any table with an address can be one.
local function identify(name, peer)
	if type(peer) == "table" then
		local id = peer[PEER]
		if id then
			return id
		elseif peer[LISTENER] == nil and type(peer.addr) == "string" then
			local address = peer.addr
			local known = shared[address]
			if known then
				-- A script that makes a table for every call must not make a connection each.
				id = known[PEER]
			else
				local slot, problem
				id, slot, problem = core.open(address)
				if not id then
					error(name .. ": the peer's addr: " .. problem, 3)
				end
				peers[slot], shared[address] = peer, peer
			end
			peer[PEER], peer[ADDRESS] = id, address
			return id
		end
	end
	error(name .. ": the first argument must be a peer from cluster.connect or accept", 3)
end

-- Serving ---------------------------------------------------------------------------------------

--- Ends a request without an answer.
local function leave_unanswered(fd, level, ...)
	logger.record(level, string.format(...))
	respond(fd, 0, nil)
end

--- Handles one request, in a task of its own.
local function process(peer, fd, session, cmd, trace, data)
	local task = scheduler.current
	owed[task] = fd
	traces[task] = trace ~= 0 and trace or nil
	local body, problem = unmarshal("request", cmd, data)
	if body == nil or body == false then
		leave_unanswered(
			fd, logger.ERROR, "[cluster] decode fail, session %d cmd %d: %s", session, cmd, tostring(problem)
		)
	else
		local answer = serve_call(peer, cmd, body)
		local number, out
		if answer ~= nil then
			number, out = marshal("response", cmd, answer)
		else
			-- Nothing to answer: marshal may still make something of it, or say no in any way.
			local ok
			ok, number, out = pcall(marshal, "response", cmd, nil)
			if not ok then
				number, out = nil, number
			end
		end
		if not number then
			leave_unanswered(
				fd, logger.DEBUG, "[cluster] no answer, session %d cmd %d: %s", session, cmd, tostring(out)
			)
		elseif type(out) ~= "string" then
			leave_unanswered(
				fd, logger.ERROR, "[cluster] marshal of the answer, session %d cmd %d: a string wanted, got %s",
				session, cmd, type(out)
			)
		else
			local sent, why = respond(fd, session, out)
			if not sent then
				logger.record(logger.ERROR, ("[cluster] answer, session %d cmd %d: %s"):format(session, cmd, why))
			end
		end
	end
	owed[task] = nil
end

scheduler.watch(function(task)
	local fd = owed[task]
	if fd then
		owed[task] = nil
		respond(fd, 0, nil)
	end
	local guest = guests[task]
	if guest then
		guests[task] = nil
		cluster.close(guest)
	end
end)

--- Runs the accept callback, in a task of its own.
local function welcome(peer, address)
	local task = scheduler.current
	guests[task] = peer
	serve_accept(peer, address)
	guests[task] = nil
end

local events = core.events

loop.on(events.REQUEST, function(slot, fd, session, cmd, trace, data)
	scheduler.start(process, peers[slot], fd, session, cmd, trace, data)
end)

loop.on(events.REPLY, function(slot, data)
	local task = waiting[slot]
	waiting[slot] = nil
	scheduler.resume(task, data)
end)

loop.on(events.DONE, function(slot)
	local task = waiting[slot]
	waiting[slot] = nil
	scheduler.resume(task, true)
end)

loop.on(events.FAILED, function(slot, why)
	local task = waiting[slot]
	waiting[slot] = nil
	scheduler.resume(task, nil, why)
end)

loop.on(events.ACCEPTED, function(slot, id, fd, address)
	local peer = { fd = fd, [PEER] = id }
	peers[slot] = peer
	if serve_accept then
		scheduler.start(welcome, peer, address)
	end
end)

loop.on(events.CONNECTED, function(slot, fd)
	peers[slot].fd = fd
end)

loop.on(events.CLOSED, function(slot, errno)
	local peer = peers[slot]
	peer.fd = nil
	if not peer[ADDRESS] then
		peers[slot] = nil -- it can never come back
	end
	if serve_close then
		scheduler.start(serve_close, peer, errno)
	end
end)

-- The interface ---------------------------------------------------------------------------------

--- Configures the cluster: codec, callbacks, timeout. May be called again at any time; what it
--- sets then holds for everything from that moment on.
---
--- - `marshal(kind, cmd, body)`: a command number and a string; nil and a reason not to send.
--- - `unmarshal(kind, cmd, data)`: the body; nil and a reason.
--- - `call(peer, cmd, body)`: handles a request; returns the answer's body, nil for no answer.
--- - `accept(peer, addr)`: optional; a connection has come in from "ip:port".
--- - `close(peer, errno)`: optional; a connection has ended from outside. 0: in order.
--- - `timeout`: milliseconds that a call, send or connect may take in all; 5000 by default. Too
---   short fails calls that a loaded peer would have answered; too long keeps tasks waiting on a
---   peer that is gone.
---@param conf silly.net.cluster.conf
function cluster.serve(conf)
	local name = "cluster.serve"
	check.options(name, "the argument", conf, OPTIONS)
	check.type(name, "option 'marshal'", conf.marshal, "function")
	check.type(name, "option 'unmarshal'", conf.unmarshal, "function")
	check.type(name, "option 'call'", conf.call, "function")
	if conf.accept ~= nil then
		check.type(name, "option 'accept'", conf.accept, "function")
	end
	if conf.close ~= nil then
		check.type(name, "option 'close'", conf.close, "function")
	end
	local limit = DEFAULT_TIMEOUT
	if conf.timeout ~= nil then
		limit = check.integer(name, "option 'timeout'", conf.timeout, 1, LONGEST_TIMEOUT)
	end
	marshal, unmarshal, timeout = conf.marshal, conf.unmarshal, limit
	serve_call, serve_accept, serve_close = conf.call, conf.accept, conf.close
end

--- Listens on "ip:port", "[ipv6]:port" or ":port"; port 0 lets the system choose, see the
--- listener's `addr`. Does not wait, and needs no task.
---@param addr string
---@param backlog integer? connections that may wait to be accepted; 128 by default. Too few
---  refuses clients in a rush; more than the system's own limit changes nothing.
---@return silly.net.cluster.listener? listener
---@return string? err
function cluster.listen(addr, backlog)
	local name = "cluster.listen"
	demand_serve(name)
	check.type(name, "the address", addr, "string")
	if backlog ~= nil then
		backlog = check.integer(name, "the backlog", backlog, 1, 2 ^ 31 - 1)
	end
	local id, bound, malformed = core.listen(addr, backlog or DEFAULT_BACKLOG)
	if id then
		return { fd = id, addr = bound, [LISTENER] = id }
	elseif malformed then
		error(name .. ": " .. bound, 2)
	end
	logger.record(logger.ERROR, "[cluster] " .. bound)
	return nil, bound
end

--- The handle of "ip:port", "[ipv6]:port" or "name:port". The first time, one connection is tried,
--- for at most the timeout of serve; the handle is returned even if that fails, and connects again
--- whenever it is used. The same address gives the same handle until it is closed, unless
--- `shared = false` asks for one of its own.
---@async
---@param addr string
---@param options? {shared?: boolean}
---@return silly.net.cluster.peer
function cluster.connect(addr, options)
	local name = "cluster.connect"
	demand_serve(name)
	local task = enter(name)
	check.type(name, "the address", addr, "string")
	local own = false
	if options ~= nil then
		check.options(name, "the options", options, { "shared" })
		own = options.shared == false
	end
	local peer = not own and shared[addr] or nil
	if peer then
		-- Its first dial may be under way; else there is nothing to wait for.
		if core.dialing(peer[PEER]) then
			await(core.join(peer[PEER], timeout), task)
		end
		return peer
	end
	local id, slot, problem = core.open(addr)
	if not id then
		error(name .. ": " .. problem, 2)
	end
	peer = { addr = addr, [PEER] = id, [ADDRESS] = addr }
	peers[slot] = peer
	if not own then
		shared[addr] = peer
	end
	local request = core.join(id, timeout)
	if request then
		await(request, task)
	end
	return peer
end

--- What call and send share. They end in a call of this one, so that errors still point at theirs.
---@async
---@return any? response true for a send
---@return string? err
local function request(name, native, peer, cmd, obj, limit)
	demand_serve(name)
	local task = enter(name)
	local id = identify(name, peer)
	if limit ~= nil then
		limit = check.integer(name, "the timeout", limit, 1, LONGEST_TIMEOUT)
	end
	local number, data = marshal("request", cmd, obj)
	if not number then
		return nil, data
	end
	local slot, why = native(id, number, traces[task] or 0, data, limit or timeout)
	if not slot then
		return nil, why
	elseif slot == true then
		return true
	end
	local answer
	answer, why = await(slot, task)
	if answer == nil then
		return nil, why
	elseif answer == true then
		return true
	end
	local response, problem = unmarshal("response", cmd, answer)
	return response, problem
end

--- Asks a peer and waits for its answer.
---@async
---@param peer silly.net.cluster.peer
---@param cmd any what marshal makes the command number of
---@param obj any what marshal makes the data of
---@param limit integer? milliseconds for this call in all; the timeout of serve by default
---@return any? response
---@return string? err "timeout"; "closed": the connection went down meanwhile; "peer closed": the
---  handle cannot connect; else what the system said
function cluster.call(peer, cmd, obj, limit)
	return request("cluster.call", native_call, peer, cmd, obj, limit)
end

--- Sends a message that nobody answers. It returns once the message is on its way, which is at
--- once unless the peer has to be connected first or has too much to read already.
---@async
---@param peer silly.net.cluster.peer
---@param cmd any what marshal makes the command number of
---@param obj any what marshal makes the data of
---@param limit integer? milliseconds to get it on its way; the timeout of serve by default
---@return boolean? ok
---@return string? err as for cluster.call
function cluster.send(peer, cmd, obj, limit)
	return request("cluster.send", native_send, peer, cmd, obj, limit)
end

--- Closes a peer or a listener for good. What was sent before is still delivered; calls that wait
--- on the peer return nil, "closed" at once. The close callback is not called. Closing twice is no
--- mistake.
---@param handle silly.net.cluster.peer|silly.net.cluster.listener
function cluster.close(handle)
	demand_serve("cluster.close")
	check.type("cluster.close", "the first argument", handle, "table")
	if handle[LISTENER] then
		core.close_listener(handle[LISTENER])
	elseif handle[PEER] then
		local id, address = handle[PEER], handle[ADDRESS]
		local slot = core.close_peer(id)
		local known = peers[slot]
		if known and known[PEER] == id then
			known.fd = nil
			peers[slot] = nil
		end
		if address and shared[address] and shared[address][PEER] == id then
			shared[address] = nil
		end
	end
	handle.fd = nil
end

return cluster
