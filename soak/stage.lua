--- The processes of the soak and the books that they keep: started, killed, measured and read by the
--- conductor.

local silly = require "silly"
local cluster = require "silly.net.cluster"
local time = require "silly.time"
local book = require "spec.support.book"
local ledger = require "spec.support.ledger"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local shell = require "spec.support.shell"
local node = require "soak.node"

local unpack = table.unpack or rawget(_G, "unpack")

local SERVERS = 3

--- Descriptors that a server may have: few, so that it can run out of them.
local DESCRIPTORS = 512

--- Milliseconds after a kill in which a book may still grow.
local LAST_LINES = 1000

--- Milliseconds until everything that was asked must have returned, beyond the longest deadline.
local RETURN = node.PATIENCE + 3000

--- A node through all its lives: its name, its module with its options, and of its present life the
--- process, the book's reader and the peer.
local Actor = {}
Actor.__index = Actor

--- Sends an order that may take so many milliseconds: what came of it, or nil and a reason.
function Actor:order(order, limit)
	return cluster.call(self.peer, node.ORDER, order, limit)
end

local Stage = {}
Stage.__index = Stage

function Stage:add(name, module, options)
	local actor = setmetatable({ name = name, module = module, options = options }, Actor)
	self.actors[#self.actors + 1] = actor
	return actor
end

--- A number, a string or a list of them, as Lua writes it.
local function literal(value)
	if type(value) == "table" then
		local items = {}
		for index, item in ipairs(value) do
			items[index] = literal(item)
		end
		return "{ " .. table.concat(items, ", ") .. " }"
	end
	return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- Starts a node, again if it is its second life; each life has a book of its own.
function Stage:start(actor)
	self.lives = self.lives + 1
	local options = actor.options
	local words = { ("books = %q, number = %d"):format(shell.dir, self.lives) }
	for name, value in pairs(options) do
		words[#words + 1] = name .. " = " .. literal(value)
	end
	actor.child = process.start(("require('%s').run { %s }"):format(actor.module, table.concat(words, ", ")), {
		descriptors = actor.module == "soak.server" and DESCRIPTORS or nil,
		seconds = self.seconds,
	})
	actor.number, actor.reader = self.lives, book.reader(shell.dir, self.lives)
	actor.addr = actor.child:output("listening on ([%d.:]+)", self.patience)
	actor.peer = cluster.connect(actor.addr)
	-- From its first order on a node knows its conductor, and ends with it.
	self:recover(actor)
end

--- Kills a node; the rest of its book is read while others go on.
function Stage:kill(actor)
	self:collect_log(actor)
	actor.child:kill()
	self.closing[#self.closing + 1] = { reader = actor.reader, since = time.monotonic() }
end

--- Waits until a node answers.
function Stage:recover(actor)
	local answer = raw.poll(function()
		return actor:order("probe", 1000)
	end, node.PATIENCE)
	if not answer then
		self:fail(actor.name .. " does not answer any more")
	end
end

--- Something that is no question's fault, but nobody wants.
function Stage:fail(text)
	self.failures[#self.failures + 1] = text
end

--- Looks through a node's log for what must never be there.
function Stage:collect_log(actor)
	local log = actor.child:errors()
	local problem = log:match("[^\n]*stack traceback:.*") or log:match("[^\n]*panicked[^\n]*")
	if problem then
		self:fail(actor.name .. " has logged: " .. log:sub(1, 500))
	end
end

--- Reads on in all books.
function Stage:read()
	for _, actor in ipairs(self.actors) do
		actor.reader:read(self.ledger)
	end
	for index = #self.closing, 1, -1 do
		local closing = self.closing[index]
		closing.reader:read(self.ledger)
		if time.monotonic() - closing.since > LAST_LINES then
			closing.reader:close()
			table.remove(self.closing, index)
		end
	end
end

--- Resident memory of each node in KiB, by name, the conductor's too.
function Stage:memory()
	local names, pids = { [silly.pid] = "conductor" }, { silly.pid }
	for _, actor in ipairs(self.actors) do
		if actor.child.pid then
			names[actor.child.pid] = actor.name
			pids[#pids + 1] = actor.child.pid
		end
	end
	local memory = {}
	local pipe = assert(io.popen("ps -o pid=,rss= -p " .. table.concat(pids, ",")))
	for line in pipe:lines() do
		local pid, size = line:match("(%d+)%s+(%d+)")
		memory[names[tonumber(pid)]] = tonumber(size)
	end
	pipe:close()
	return memory
end

--- Ends nodes in order, which each says once all that it has asked has returned.
function Stage:finish(actors)
	for _, actor in ipairs(actors) do
		actor.child:signal("TERM")
	end
	for _, actor in ipairs(actors) do
		raw.poll(function()
			self:read()
			return self.ledger.ended[actor.number]
		end, RETURN)
		if not self.ledger.ended[actor.number] then
			self:fail(actor.name .. " did not end in order")
			-- Whatever is still open in its book hangs.
			self.ledger:finished(actor.number)
		end
		self:collect_log(actor)
	end
end

--- Ends everything in order: first whoever asks, so that the others can still answer.
function Stage:close()
	self:finish({ self.load })
	self:finish(self.servers)
	self.ledger:close()
	for _, actor in ipairs(self.actors) do
		cluster.close(actor.peer)
	end
end

local stage = {}

--- Starts all nodes.
---@param seconds integer that they may live
---@param calibration integer milliseconds at full speed
function stage.open(seconds, calibration)
	local self = setmetatable({
		actors = {},
		closing = {}, -- books of the dead
		failures = {},
		ledger = ledger.new(),
		lives = 0,
		patience = 5000 + calibration,
		seconds = seconds,
		servers = {},
	}, Stage)
	local addresses = {}
	for index = 1, SERVERS do
		local server = self:add("server " .. index, "soak.server", { addr = "127.0.0.1:0", others = { unpack(addresses) } })
		self:start(server)
		-- Its next life has the same address.
		server.options.addr = server.addr
		self.servers[index], addresses[index] = server, server.addr
	end
	self.load = self:add("load", "soak.load", { servers = addresses, calibration = calibration })
	self:start(self.load)
	self.speed = tonumber(self.load.child:output("full speed (%d+)"))
	return self
end

return stage
