--- The cluster: calls between nodes over TCP.
--
-- Mistakes in the use of a function raise; whatever the network or the other end does is told as
-- nil and a message. Everything that waits does so in the task that asked, and only in there. Before
-- `cluster.serve` every other function but `cluster.stats` raises.
--
-- The messages of `cluster.call` and `cluster.send`:
--
-- - "timeout": the time was up first. A call may have been carried out.
-- - "closed": the connection went down, or was closed, while waiting on it. A call may have been
--   carried out.
-- - "peer closed": the handle cannot connect: this side has closed it, or it came in and is gone.
--   Nothing was sent.
-- - "connect 127.0.0.1:1: Connection refused", "lookup db.lan: ...": what the system or the resolver
--   said, with the address. Nothing was sent.
-- - "connect 127.0.0.1:7000: tls: its certificate is not signed by tls.ca": the handshake of TLS has failed,
--   at this end or at the other one. Nothing was carried out.
-- - "request data of 65520 bytes is over the limit of 65519": the wire has room for so much in a
--   request; in an answer it is 65,531, which the serving end's log says, and the caller gets
--   "timeout". In generation 2 of the wire it is `hardlimit` less 16 and less 4.
-- - "not enough memory": Lua had none for the answer. The call may have been carried out.
-- - Anything else is what `marshal` or `unmarshal` gave as a reason.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local loop = require "silly.internal.loop"
local check = require "silly.internal.check"
local credentials = require "silly.internal.credentials"
local peers = require "silly.internal.peers"
local listeners = require "silly.internal.listeners"
local serving = require "silly.internal.serving"
local settings = require "silly.internal.settings"
local edition = require "silly.internal.edition"
local errno = require "silly.errno"
local log = require "silly.internal.log"
require "silly.internal.start"

if core.loaded.cluster then
	return core.loaded.cluster --[[@as silly.net.cluster]]
end

---@class silly.net.cluster
local cluster = {}
core.loaded.cluster = cluster

--- The handle of another node: a plain table, the same for as long as its connection lives, and fit to
--- be a key. One that came in can be called and sent to like any other; once it is gone it never comes
--- back.
---@class silly.net.cluster.peer
---@field fd integer? names the connection while there is one; not the system's descriptor
---@field addr string? where to connect; accepted peers have none
---@field remoteaddr string? "ip:port" of the other end, or "unix:/path" of the socket between both; also
---  once it is gone, and nil before the first connection
---@field names string[]? the names in the certificate that the other end has shown and that was verified: those
---  of hosts and the URIs of its subjectAltName; nil without TLS

--- What `cluster.listen` returns.
---@class silly.net.cluster.listener
---@field fd integer? names the listener, nil once it is closed; not the system's descriptor
---@field addr string the address really bound

local DEFAULT_BACKLOG = 128
local LISTENER, PEER = listeners.ID, peers.ID

local sees_tasks = core.sees_tasks
local enter, suspend = scheduler.task, scheduler.suspend
local traces, owed = scheduler.traces, serving.owed
local books, CURRENT, SUSPEND = scheduler.books, scheduler.CURRENT, scheduler.SUSPEND
local co_yield = coroutine.yield

--- What serve has set; the functions are nil before.
local marshal, unmarshal
local default_timeout
local default_terms ---@type silly.peers.terms

--- Tasks that wait for a request's end, by native slot.
---@type table<integer, thread>
local waiting = {}

-- The end of a request is still told when its task has ended, and frees the slot.
local slots = scheduler.track(waiting, "silly.net.cluster", core.withdraw)

--- The drain that each task waits for.
---@type table<thread, integer|false>
local drains = {}

--- The slot of the drain that begins.
local drain_slot

--- The handle that each task connects and nobody else knows yet.
---@type table<thread, silly.net.cluster.peer>
local newcomers = {}

local function demand_serve(name)
	if not marshal then
		error(name .. ": call cluster.serve first, with marshal, unmarshal and call", 3)
	end
end

--- The credentials of an option; those of serve where there is none.
local function credentials_of(name, given)
	if given == nil then
		return default_terms.tls
	elseif given == false then
		return nil
	end
	local held, problem = credentials.of(given)
	if not held then
		error(name .. ": " .. problem, 3)
	end
	return held
end

--- Waits for the end of a request: data or true; or nil and why not.
---@async
local function await(slot, task)
	waiting[slot], slots[task] = task, slot
	return suspend()
end

--- The native id of a peer; any table with an address can be one.
local function identify(name, peer)
	if type(peer) == "table" then
		local id = peer[PEER]
		if id then
			return id
		elseif peer[LISTENER] == nil and type(peer.addr) == "string" then
			local adopted, problem = peers.adopt(peer, peer.addr, default_terms, false)
			if not adopted then
				error(name .. ": the peer's addr: " .. problem, 3)
			end
			return adopted
		end
	end
	local given = type(peer) == "table" and peer[LISTENER] and "a listener" or check.describe(peer)
	error(name .. ": the first argument must be a peer from cluster.connect or accept, got " .. given, 3)
end

--- What happens to connections, for whoever looks for a fault.
local function note(format, ...)
	if log.level <= log.DEBUG then
		log.record(log.DEBUG, "[cluster] " .. format:format(...))
	end
end

-- A task that ends while it drains: the others' requests are handled again. One that ends while it
-- connects: nobody could close a handle that it alone was to have.
scheduler.watch(function(task)
	if drains[task] then
		core.end_drain(drains[task])
		drains[task] = nil
	end
	if newcomers[task] then
		peers.close(newcomers[task])
		newcomers[task] = nil
	end
end)

local events = core.events

loop.on_wait(events.REPLY, waiting)
loop.on_wait(events.DONE, waiting)
loop.on_wait(events.FAILED, waiting)

loop.on(events.ACCEPTED, function(slot, id, fd, address)
	note("accepted %s", address)
	serving.accepted(slot, id, fd, address)
end, serving.forsake_peer)

loop.on(events.CONNECTED, function(slot, fd, address)
	note("connected to %s", address)
	peers.connected(slot, fd, address)
end)

loop.on(events.CLOSED, function(slot, code)
	local peer = peers.lost(slot)
	note("%s is gone: %s", peers.name(peer), errno[code])
	serving.closed(peer, code)
end)

-- The interface ---------------------------------------------------------------------------------

--- Sets codec, callbacks and bounds. First of all; it may be called again at any time, and what it sets
--- then holds for everything from that moment on: an option that is absent has its default again.
---
--- An error in `accept`, `close`, `call` or the codec of the serving end is logged and costs that one
--- message (`accept`: the connection); the caller gets "timeout".
---
--- What a handler itself calls and sends waits for bytes, never for answers to others' calls: two
--- nodes whose handlers call back cannot lock each other up.
---@param conf silly.net.cluster.conf the codec, the callbacks and the bounds
function cluster.serve(conf)
	local name = "cluster.serve"
	check.options(name, "the argument", conf, settings.OPTIONS)
	check.type(name, "option 'marshal'", conf.marshal, "function")
	check.type(name, "option 'unmarshal'", conf.unmarshal, "function")
	check.type(name, "option 'call'", conf.call, "function")
	if conf.accept ~= nil then
		check.type(name, "option 'accept'", conf.accept, "function")
	end
	if conf.close ~= nil then
		check.type(name, "option 'close'", conf.close, "function")
	end
	local number = {}
	local version = conf.edition
	if version == nil then
		version = edition.DOCUMENTED
	end
	check.one_of(name, "option 'edition'", version, edition.WIRES, '"0.6" or "0.7"')
	for option, range in pairs(settings.NUMBERS) do
		local value = conf[option]
		if value == nil then
			value = option == "wire" and edition.WIRES[version] or range[1]
		elseif value ~= false or option ~= "keepalive" then
			value = check.integer(name, "option '" .. option .. "'", value, range[2], range[3])
		end
		number[option] = value
	end
	local held, problem
	if conf.tls then
		held, problem = credentials.of(conf.tls)
		if not held then
			error(name .. ": " .. problem, 2)
		end
	end
	marshal, unmarshal = conf.marshal, conf.unmarshal
	default_timeout, default_terms = number.timeout, { wire = number.wire, tls = held }
	edition.newest = version ~= edition.DOCUMENTED
	serving.configure(conf)
	number.keepalive = number.keepalive or nil
	core.limit(number)
end

--- Listens for other nodes. Does not wait, and needs no task.
---
--- The file of a Unix socket is made here and removed when the listener is closed. One that is there
--- already is removed if it is a socket on which nobody listens any more, as a process leaves it that was
--- killed; else it is "Address already in use".
---
--- Raises when the address is malformed, and when a file of `tls` cannot be read or used.
---@param addr string "ip:port", "[ipv6]:port", ":port" or "unix:/path"; with port 0 the system chooses,
---  see the listener's `addr`
---@param backlog integer? connections that may wait to be accepted; 128 by default. Too few
---  refuses clients in a rush; more than the system's own limit changes nothing.
---@param opts? silly.net.cluster.listen_options what those who connect speak, and who may; none by default
---@return silly.net.cluster.listener? listener
---@return string? err what the system said, with the address; the log has it, too
function cluster.listen(addr, backlog, opts)
	local name = "cluster.listen"
	demand_serve(name)
	check.type(name, "the address", addr, "string")
	if backlog ~= nil then
		backlog = check.integer(name, "the backlog", backlog, 1, 2 ^ 31 - 1)
	end
	local wire, tls, mode = default_terms.wire, default_terms.tls, nil
	if opts ~= nil then
		check.options(name, "the options", opts, { "wire", "mode", "tls" })
		tls = credentials_of(name, opts.tls)
		wire = opts.wire == nil and wire or check.integer(name, "option 'wire'", opts.wire, 1, 2)
		mode = opts.mode ~= nil and check.mode(name, "option 'mode'", opts.mode) or nil
	end
	if tls and not tls.shows then
		error(name .. ": option 'tls': cert and key are needed to listen", 2)
	end
	local id, bound, malformed = core.listen(addr, backlog or DEFAULT_BACKLOG, mode, wire, tls and tls.native)
	if id then
		return listeners.add(id, bound)
	elseif malformed then
		error(name .. ": " .. bound, 2)
	end
	log.record(log.ERROR, "[cluster] " .. bound)
	return nil, bound
end

--- The handle of another node. The first time, one connection is tried, for at most the timeout of
--- serve; the handle is returned even if that fails, and connects again whenever it is used. The same
--- address gives the same handle until it is closed, unless `shared = false` asks for one of its own.
---
--- Raises when the address is malformed, and when a file of `tls` cannot be read or used.
---@async
---@param addr string "ip:port", "[ipv6]:port", "name:port", "unix:/path", or "srv:_name._tcp.domain" for the
---  service records of that name, by priority and weight. Names are looked up at each dial, and answers are
---  kept for as long as they say, unless none of the addresses was any good. Several addresses are tried in
---  any order, IPv4 before IPv6
---@param opts? silly.net.cluster.connect_options whether to share the handle; none by default
---@return silly.net.cluster.peer? peer nil in edition "0.7" alone
---@return string? err what is wrong with the address, in that edition
function cluster.connect(addr, opts)
	local name = "cluster.connect"
	demand_serve(name)
	local task = not edition.newest and enter(name)
	check.type(name, "the address", addr, "string")
	local own, terms = edition.newest, default_terms
	if opts ~= nil then
		check.options(name, "the options", opts, { "shared", "wire", "tls" })
		if opts.shared ~= nil then
			own = not opts.shared
		end
		local wire = opts.wire == nil and terms.wire or check.integer(name, "option 'wire'", opts.wire, 1, 2)
		terms = { wire = wire, tls = credentials_of(name, opts.tls) }
	end
	if edition.newest then
		return peers.later(addr, terms, own)
	end
	local peer = not own and peers.shared(addr, terms) or nil
	if peer then
		-- Its first dial may be under way; else there is nothing to wait for.
		if core.dialing(peer[PEER]) then
			await(core.join(peer[PEER], default_timeout), task)
		end
		return peer
	end
	peer = { addr = addr }
	local id, problem = peers.adopt(peer, addr, terms, own)
	if not id then
		error(name .. ": " .. problem, 2)
	end
	local request = core.join(id, default_timeout)
	if request then
		newcomers[task] = own and peer or nil
		await(request, task)
		newcomers[task] = nil
	end
	return peer
end

--- Waits for the end of a request that has been submitted. Nothing else of it is on the stack
--- meanwhile: the frame of a call that waits is most of what it costs in memory.
---@async
local function conclude(peer, cmd)
	local answer, problem = co_yield(SUSPEND)
	if answer == nil or answer == true then
		return answer, edition.reason(problem)
	end
	local response
	response, problem = unmarshal("response", cmd, answer)
	if response == nil then
		note("%s, cmd %s: unmarshal returned no body for the answer's %d bytes, %s",
			peers.name(peer), check.quote(cmd), #answer, log.because(problem))
	end
	return response, problem
end

--- A request that marshal gave no number for, and perhaps a reason.
local function unsent(name, problem)
	note("%s sends nothing: marshal returned no command number, %s", name, log.because(problem))
	return nil, problem
end

--- What marshal must return for a request.
local RESULTS = { "an integer command first", "a string second" }

--- A request that marshal made something else of: which result it is, and what it is.
local function misfit(name, cmd, place, value)
	error(("%s: marshal must return %s, got %s for cmd %s"):format(
		name, RESULTS[place], check.describe(value), check.quote(cmd)), 3)
end

--- A request that could not be submitted.
local function refusal(name, peer, why)
	if not why then
		enter(name) -- says what is wrong
	elseif why == "peer closed" then
		-- Its CLOSED may be on the way still. A script that asks for as long as there is an fd would
		-- never let it arrive, since a call that is refused waits for nothing.
		peer.fd = nil
	end
	return nil, edition.reason(why)
end

--- Makes call or send. Few variables: with two more the native call would make the stack of a task that
--- is a call deep grow to twice its size.
---@param name string
---@param native function submits a request: true when it is on its way and over, or the slot to wait on;
---  nil and why not; or false and which result of marshal is wrong
local function requester(name, native)
	return function(peer, cmd, obj, timeout)
		if not marshal then
			demand_serve(name)
		end
		local task = books[CURRENT]
		if not (task and sees_tasks) then
			enter(name)
		end
		local id = type(peer) == "table" and peer[PEER] or identify(name, peer)
		if timeout ~= nil then
			timeout = check.integer(name, "the timeout", timeout, 1, settings.LONGEST_TIMEOUT)
		end
		local number
		number, obj = marshal("request", cmd, obj)
		if not number then
			return unsent(name, obj)
		end
		local slot, why = native(
			id, number, traces[task] or 0, obj, timeout or default_timeout, owed[task], task
		)
		if slot == true then
			return true
		elseif slot then
			waiting[slot], slots[task] = task, slot
			return conclude(peer, cmd)
		elseif slot == false then
			misfit(name, cmd, why, why == 1 and number or obj)
		end
		return refusal(name, peer, why)
	end
end

--- Asks a peer and waits for its answer. It connects first where the peer is not connected, and waits
--- for room where `highwater` or `maxcalls` is reached.
---
--- Raises what `marshal` and `unmarshal` raise, and where `marshal` returns neither nil nor an integer and
--- a string.
---@async
---@param peer silly.net.cluster.peer from `cluster.connect`, or one that came in
---@param cmd any what `marshal` makes the command number of
---@param obj any what `marshal` makes the data of
---@param timeout integer? milliseconds for this call in all, 1 to 86,400,000; the timeout of serve
---  by default, with the same effects of too short and too long.
---@return any? response what `unmarshal` made of the answer
---@return string? err one of the messages above; nil where `marshal` or `unmarshal` gave no reason
---@type fun(peer: silly.net.cluster.peer, cmd: any, obj: any, timeout: integer?): any, string?
cluster.call = requester("cluster.call", core.call)

--- Sends a message that nobody answers. It returns once the message is queued on the connection, which
--- is at once unless the peer has to be connected first or has too much to read already.
---
--- Raises what `marshal` raises, and where it returns neither nil nor an integer and a string.
---@async
---@param peer silly.net.cluster.peer from `cluster.connect`, or one that came in
---@param cmd any what `marshal` makes the command number of
---@param obj any what `marshal` makes the data of
---@param timeout integer? milliseconds to get it on its way, 1 to 86,400,000; the timeout of serve
---  by default, with the same effects of too short and too long.
---@return boolean? ok true: queued, which does not say that it arrives
---@return string? err one of the messages above; nil where `marshal` gave no reason
---@type fun(peer: silly.net.cluster.peer, cmd: any, obj: any, timeout: integer?): boolean?, string?
cluster.send = requester("cluster.send", core.send)

--- Closes a peer or a listener for good. What was sent before is still delivered, within 5 s; calls
--- that wait on the peer return nil, "closed" at once. The close callback is not called. Connections that a
--- listener has taken in stay, but for those whose TLS handshake is under way. Closing twice is no mistake.
---@param handle silly.net.cluster.peer|silly.net.cluster.listener what to close
function cluster.close(handle)
	demand_serve("cluster.close")
	check.type("cluster.close", "the first argument", handle, "table")
	if handle[LISTENER] then
		listeners.close(handle)
	elseif handle[PEER] then
		note("closing %s", peers.name(handle))
		peers.close(handle)
	else
		peers.give_up(handle)
	end
end

--- Reads the files of every `tls` in use again. Handshakes from now on use what they have now; connections
--- stay as they are. When something is wrong with any of them, all stays as it was.
---@return boolean? ok
---@return string? err which file, and what is wrong with it
function cluster.reload_tls()
	demand_serve("cluster.reload_tls")
	local problem = core.reload_credentials(default_terms.tls and default_terms.tls.native)
	if problem then
		log.record(log.ERROR, "[cluster] tls: " .. problem)
		return nil, problem
	end
	return true
end

--- Begins a drain for a task that then waits. A second try goes on from where memory has failed.
---@return true
local function begin_drain(task, timeout)
	if not drains[task] then
		drains[task] = false -- its place, before there is anything to lose
		drain_slot, drains[task] = core.drain(timeout, owed[task] ~= nil)
	end
	waiting[drain_slot], slots[task] = task, drain_slot
	return true
end

--- The same for the end of one.
local function end_drain(task)
	peers.close_all()
	if drains[task] then
		core.end_drain(drains[task])
	end
	drains[task] = nil
end

--- Leaves in order. Listeners close; requests that come from now on are not handled, so their
--- callers are told "closed" at the end; handlers that are at work finish, and may call others
--- meanwhile; their answers leave; then every connection is closed. Calls of this side that still
--- wait then return nil, "closed". A handler that drains does not wait for itself: its own caller is
--- told "closed".
---@async
---@param timeout integer? milliseconds to wait for handlers and answers, 0 to 86,400,000; the timeout
---  of serve by default. Too short cuts off handlers that would have answered; too long delays the end by one
---  that hangs.
---@return boolean? ok true when nothing was cut off
---@return string? err "timeout": everything was closed all the same
function cluster.drain(timeout)
	local name = "cluster.drain"
	demand_serve(name)
	-- Before the task is looked at: on 5.1 nothing that may wait gets that far inside a pcall.
	timeout = timeout ~= nil and check.integer(name, "the timeout", timeout, 0, settings.LONGEST_TIMEOUT)
		or default_timeout
	local task = enter(name)
	listeners.forget()
	if not scheduler.insist(begin_drain, task, timeout) then
		scheduler.insist(end_drain, task)
		error(scheduler.NO_MEMORY, 0)
	end
	local ok, why = suspend()
	scheduler.insist(end_drain, task)
	if ok then
		return true
	end
	return nil, why
end

--- Counts what has happened since the start, and what is there now.
---
--- Since the start:
---
--- - `accepts`, `connects`, `reconnects`: connections that came in, that were dialled, and those of
---   the latter that brought a lost one back;
--- - `requests_sent`, `requests_received`, `responses_sent`, `responses_received`: messages; a
---   request is a call or a send, a received response one that somebody waited for;
--- - `bytes_sent`, `bytes_received`: on the wire, frames included;
--- - `timeouts`: calls, sends and connects whose time was up;
--- - `drops`: answers whose connection was gone or closed, requests that came during a drain;
--- - `strays`: answers that nobody waited for: late, to a send, or made up;
--- - `refused_connections`: connections that came in beyond `maxconnections` or `maxperhost`;
--- - `failed_handshakes`: connections that came in and were closed in the handshake of TLS;
--- - `refused_frames`: connections closed because what came was no frame, or half of one;
--- - `overloads`: connections closed because the other end passed `maxanswers` or `maxrequests`.
---
--- Now: `connections_in`, `connections_out`, `listeners`, `handshakes` (of TLS, of those who come in),
--- `calls_in_flight` (also those that wait for
--- room), `handlers` (requests in progress here), `bytes_queued` (that the kernel has not taken yet).
---@return table<string, integer> counts by these names
function cluster.stats()
	return core.stats()
end

return cluster
