--- Serving: the callbacks of the cluster, each in a task of its own.

local core = require "silly.internal.core"
local check = require "silly.internal.check"
local scheduler = require "silly.internal.scheduler"
local edition = require "silly.internal.edition"
local peers = require "silly.internal.peers"
local errno = require "silly.errno"
local log = require "silly.internal.log"
local loop = require "silly.internal.loop"

if core.loaded.serving then
	return core.loaded.serving --[[@as silly.serving]]
end

---@class silly.serving
local serving = {}
core.loaded.serving = serving

local respond, events = core.respond, core.events
local traces, books, CURRENT = scheduler.traces, scheduler.books, scheduler.CURRENT

--- What serve has set.
local marshal, unmarshal, call, accept, close

--- The connection that each task with a request in hand owes an answer. Strong keys: a handler
--- that nobody else knows must not be collected while the other end waits.
---@type table<thread, integer>
local owed = {}

--- The same for others to look at: a task in here handles a request.
serving.owed = owed

--- What each task that runs an accept or a close callback does.
---@type table<thread, string>
local duties = setmetatable({}, { __mode = "k" })

--- The peer that each task of this file works for, or did last. Not cleared, which would cost every
--- request; weak, so that it keeps nobody.
---@type table<thread, silly.net.cluster.peer>
local patrons = setmetatable({}, { __mode = "kv" })

--- Sets the codec and the callbacks for everything from now on.
---@param conf silly.net.cluster.conf
function serving.configure(conf)
	marshal, unmarshal = conf.marshal, conf.unmarshal
	call, accept, close = conf.call, conf.accept, conf.close
end

--- Logs what became of a request, with the other end's address.
local function note(level, peer, session, cmd, text)
	if level >= log.level then
		log.record(
			level, ("[cluster] %s, session %d cmd %d: %s"):format(peers.name(peer), session, cmd, tostring(text))
		)
	end
end

--- Handles one request, and answers it where there is an answer. It is the task's debt already.
local function process(peer, fd, session, cmd, trace, data)
	local task = books[CURRENT]
	if trace ~= 0 then
		traces[task] = trace
	end
	local body, problem = unmarshal("request", cmd, data)
	local out
	if body == nil or body == false then
		note(log.ERROR, peer, session, cmd, ("unmarshal returned no body for the request's %d bytes, %s"):format(
			#data, log.because(problem)))
	else
		local answer = call(peer, cmd, body)
		local number
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
			note(log.DEBUG, peer, session, cmd, "no answer: " .. tostring(out))
			out = nil
		elseif out == nil then
			out = false -- no string either
		end
	end
	local sent, why = respond(fd, session, out)
	if not sent then
		why = why or "marshal of the answer: a string wanted, got "
			.. (out and check.describe(out) or "none: it must return a number, then a string")
		note(log.ERROR, peer, session, cmd, why)
		respond(fd, session, nil)
	end
	owed[task] = nil
end

--- The lowest level of a task's stack. It is searched for by halves, since looking at a level takes as many
--- steps as it is deep, and an endless recursion has a million.
local function bottom_of(task)
	local least, beyond = 0, 1
	while debug.getinfo(task, beyond, "f") do
		least, beyond = beyond, beyond * 2
	end
	while beyond - least > 1 do
		local middle = math.floor((least + beyond) / 2)
		if debug.getinfo(task, middle, "f") then
			least = middle
		else
			beyond = middle
		end
	end
	return least
end

--- Which request a task has failed in, as its stack says: a note of it for every request would cost those
--- that go well.
---@return string? which
local function which_request(task)
	local level = bottom_of(task)
	if debug.getinfo(task, level, "f").func == process then
		local _, session = debug.getlocal(task, level, 3)
		local _, cmd = debug.getlocal(task, level, 4)
		return ("session %d cmd %d"):format(session, cmd)
	end
end

--- What runs the accept or the close callback.
local function attendance(duty, callback, peer, argument)
	return function()
		local task = scheduler.current()
		duties[task], patrons[task] = duty, peer
		local verdict
		if argument ~= nil then
			verdict = callback(peer, argument)
		else
			verdict = callback(peer)
		end
		duties[task] = nil
		if duty == "accept" and verdict == false then
			log.record(log.DEBUG, ("[cluster] %s is refused by accept"):format(peers.name(peer)))
			peers.close(peer)
		end
	end
end

-- What a task that fails leaves undone, and what it was for.
scheduler.watch(function(task, failed)
	local fd, duty, peer = owed[task], duties[task], patrons[task]
	if not (fd or duty) then
		if failed and loop.holds(events.ACCEPTED) then
			loop.forsake() -- it had no memory to begin with
		end
		return
	end
	-- In an order that a second try goes on from, should memory fail in here.
	loop.settle()
	if fd then
		respond(fd, 0, nil)
		owed[task], duty = nil, "request"
	elseif duty == "accept" then
		peers.close(peer)
	end
	duties[task] = nil
	local name = peers.name(peer)
	if fd and failed then
		-- Some hosts have no debug library, and memory may fail in there, too.
		local known, which = pcall(which_request, task)
		name = known and which and name .. ", " .. which or name
	end
	return ("[cluster] %s of %s"):format(duty, name)
end)

scheduler.owes(owed)
scheduler.owes(duties)

local start = scheduler.start

loop.on_request(events.REQUEST, { process, peers.by_slot, owed, patrons })

--- A connection has come in.
function serving.accepted(slot, id, fd, address)
	local peer = peers.accepted(slot, id, fd, address)
	if accept then
		start(attendance("accept", accept, peer, not edition.newest and address or nil))
	end
end

--- One that no task could take over.
function serving.forsake_peer(_, id)
	peers.close_id(id)
end

--- A connection has ended from outside.
function serving.closed(peer, number)
	if close then
		local argument = edition.newest and errno[number == 0 and "EOF" or number] or number
		start(attendance("close", close, peer, argument))
	end
end

return serving
