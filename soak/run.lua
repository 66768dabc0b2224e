--- The conductor of the soak: starts servers and load, injects faults, reads everybody's book, and
--- ends with a table. The status is 1 when a promise was broken.
--
--   bin/silly soak/run.lua SECONDS [SEED]

local silly = require "silly"
local signal = require "silly.signal"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"
local dice = require "spec.support.dice"
local plain = require "spec.support.plain"
local process = require "spec.support.process"
local shell = require "spec.support.shell"
local faults = require "soak.faults"
local node = require "soak.node"
local open_stage = require("soak.stage").open
local report = require "soak.table"
local weather = require "soak.weather"

--- Milliseconds between two looks into the books.
local LOOK = 200

--- Seconds that the start and the end may take.
local MARGIN = 60

local seconds = tonumber(arg[1] or 600)
local seed = tonumber(arg[2] or time.now() % 2 ^ 31)
if not (seconds and seconds >= 1 and seed) then
	io.stderr:write("soak: SECONDS and SEED must be numbers, SECONDS from 1 on\n")
	os.exit(2)
end

-- In milliseconds; a short soak has no time for long ones.

--- For which a fault is felt after it has been taken back, and a quiet time then, at most.
local AFTERMATH, PAUSE = math.min(500, seconds * 20), math.min(3000, seconds * 40)

--- Between two lines.
local LINE = math.min(5000, seconds * 250)

--- At full speed.
local CALIBRATION = math.min(2000, seconds * 100)

--- One fault in so many has a second one beside it.
local PAIRS = 4

local unpack = table.unpack or rawget(_G, "unpack")

local Soak = {}
Soak.__index = Soak

--- Brings about one fault.
function Soak:inject(fault, server, roll)
	local done = self.weather:begin(fault[1])
	fault[2](self.stage, server, roll)
	done()
end

--- Injects all kinds of faults in random order, again and again, sometimes two at once.
function Soak:schedule()
	local roll, servers = dice.new(seed), self.stage.servers
	local bag = {}
	while not self.over do
		time.sleep(AFTERMATH + roll(PAUSE))
		local first, together = roll(#servers), waitgroup.new()
		for index = first, first + (roll(PAIRS) == 1 and 1 or 0) do
			if #bag == 0 then
				bag = { unpack(faults) }
			end
			local fault, own = table.remove(bag, roll(#bag)), dice.new(roll(2 ^ 15))
			together:fork(function()
				self:inject(fault, servers[index % #servers + 1], own)
			end)
		end
		together:wait()
	end
end

--- Broken promises and other failures so far.
function Soak:failures()
	local count = #self.stage.failures
	for _, breaches in pairs(self.stage.ledger.breaches) do
		count = count + breaches
	end
	return count
end

--- One line of how things are.
function Soak:progress(now)
	local memory, sizes = self.stage:memory(), {}
	for _, actor in ipairs(self.stage.actors) do
		local size = memory[actor.name]
		sizes[#sizes + 1] = actor.name .. (size and (" %.1f"):format(size / 1024) or " gone")
	end
	print(("%5.0f s  calls %s  faults %d  failures %d  MiB: %s"):format(
		(now - self.began) / 1000, report.number(self.stage.ledger.executed_count),
		self.weather.count, self:failures(), table.concat(sizes, ", ")))
	io.stdout:flush()
end

--- Watches until the time is up.
function Soak:watch()
	local line = self.began + LINE
	while not self.over do
		time.sleep(LOOK)
		self.stage:read()
		local now = time.monotonic()
		if now >= line then
			line = line + LINE
			self:progress(now)
		end
		if now >= self.began + seconds * 1000 then
			self.over = true
		end
	end
end

--- Takes in what a return's remark says of its latency.
function Soak:note(outcome, remark)
	if outcome == "answered" then
		local began, ended = remark:match("^(%S+) (%S+)$")
		self.weather:answered(tonumber(began), tonumber(ended))
	end
end

--- From the first process to the last.
function Soak:run()
	self.stage = open_stage(seconds + MARGIN, CALIBRATION)
	self.stage:read()
	self.stage.ledger.on_return = function(...)
		self:note(...)
	end
	self.began, self.first = time.monotonic(), self.stage:memory()
	print(("soak: %d s, seed %d, full speed %s questions a second, of which half are asked from now on"):format(
		seconds, seed, report.number(self.stage.speed)))
	local faulty = waitgroup.new()
	faulty:fork(function()
		self:schedule()
	end)
	self:watch()
	faulty:wait()
	self.last = self.stage:memory()
	self.stage:close()
	self.title = ("%.0f s, seed %d, at half of %s questions a second"):format(
		(time.monotonic() - self.began) / 1000, seed, report.number(self.stage.speed))
	report.show(self)
end

-- Of the cluster the conductor only wants orders carried out.
plain.serve {
	wire = node.WIRE,
	tls = node.TLS,
	call = function() end,
	timeout = node.PATIENCE,
}

local soak = setmetatable({ over = false, weather = weather.new(AFTERMATH) }, Soak)

signal("SIGINT", function()
	if not soak.over then
		print("soak: ending")
		soak.over = true
	end
end)

-- In a task of its own: what it fails with is logged, and 5.1 cannot wait inside a pcall.
local ok = false
local all = waitgroup.new()
all:fork(function()
	soak:run()
	ok = true
end)
all:wait()
process.kill_all()
shell.clean()
silly.exit(ok and soak:failures() == 0 and 0 or 1)
