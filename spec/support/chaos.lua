--- A chaos run: two nodes in processes of their own, of which some are killed again and again while
--- they ask each other, and a ledger of it all.

local time = require "silly.time"
local book = require "spec.support.book"
local ledger = require "spec.support.ledger"
local node = require "spec.support.node"
local process = require "spec.support.process"
local shell = require "spec.support.shell"
local size = require "spec.support.size"

local chaos = {}

--- Milliseconds between two kills.
local EVERY = 300

--- Milliseconds for the end in order: beyond the deadline of a call.
local PATIENCE = 10000

--- Seconds that a run may take, and any process of one may live.
chaos.LIMIT = size.of(20, 120)

local Chaos = {}
Chaos.__index = Chaos

--- Starts a node anew: one that listens, or one that dials it. Each run of one has a book of its own.
function Chaos:start(role)
	self.runs = self.runs + 1
	local options = ("books = %q, number = %d, callers = %d, %s = %q"):format(
		self.books, self.runs, self.callers[role], role, self.addr
	)
	local child = process.start(("require('spec.support.chaos_node').run { %s }"):format(options), {
		seconds = chaos.LIMIT,
	})
	self.children[role], self.numbers[role] = child, self.runs
	self.readers[#self.readers + 1] = book.reader(self.books, self.runs)
	if role == "listen" then
		self.addr = child:output("listening on ([%d.:]+)\n")
	else
		child:output("dialled ")
	end
end

--- Reads on in all books. Gives how many answers have come by now.
function Chaos:answers()
	for _, reader in ipairs(self.readers) do
		reader:read(self.ledger)
	end
	return self.ledger.outcomes.answered or 0
end

--- Waits until there are answers that no former process can have given; how long that took.
function Chaos:recover()
	local before, began = self:answers(), time.monotonic()
	node.eventually(function()
		return self:answers() > before
	end, "an answer after a restart")
	return time.monotonic() - began
end

--- Ends a process at once.
function Chaos:kill(role)
	local child = self.children[role]
	self.log = self.log .. child:errors()
	child:kill()
end

--- Ends everything in order, so that whatever was asked has to return.
function Chaos:finish()
	for _, child in pairs(self.children) do
		child:signal("TERM")
	end
	node.eventually(function()
		self:answers()
		return self.ledger.ended[self.numbers.listen] and self.ledger.ended[self.numbers.dial]
	end, "the end in order", PATIENCE)
	for _, child in pairs(self.children) do
		self.log = self.log .. child:errors()
	end
	for _, reader in ipairs(self.readers) do
		-- An open file is every later child's too, some of which may have few.
		reader:close()
	end
	self.ledger:close()
end

--- Kills one of the nodes after the other and starts it again, for so many milliseconds.
---@param callers {listen: integer, dial: integer} who asks, with how many tasks
---@param victims string[] whom to kill, in turn
---@return {ledger: table, kills: integer, recovery: integer, log: string} run all that was asked; how
---  often something was killed; milliseconds from the last restart to an answer; what the nodes logged
function chaos.run(length, callers, victims)
	local self = setmetatable({
		addr = "127.0.0.1:0",
		books = shell.dir .. "/books" .. time.now(),
		callers = callers,
		children = {},
		kills = 0,
		ledger = ledger.new(),
		log = "",
		numbers = {},
		readers = {},
		runs = 0,
	}, Chaos)
	os.execute("mkdir '" .. self.books .. "'")
	self:start("listen")
	self:start("dial")
	self:recover()
	local over = time.monotonic() + length
	while time.monotonic() < over do
		local due = time.monotonic() + EVERY
		local victim = victims[self.kills % #victims + 1]
		self:kill(victim)
		self:start(victim)
		self.recovery = self:recover()
		self.kills = self.kills + 1
		time.sleep(math.max(0, due - time.monotonic()))
	end
	self:finish()
	return self
end

return chaos
