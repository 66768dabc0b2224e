--- The load of the soak: callers that ask all servers, at half of what they answer at full speed.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"
local asker = require "spec.support.asker"
local book = require "spec.support.book"
local node = require "soak.node"

local load = {}

local CALLERS = 64

--- Connections to each server.
local CONNECTIONS = 4

--- The part of full speed that is asked for.
local SHARE = 0.5

--- Milliseconds before the next question after one that was refused, and beyond which a caller that
--- was held up does not catch up.
local PAUSE, ARREARS = 10, 100

--- One question in so many is large, is a send, is answered after a call back.
local LARGE_EVERY, SEND_EVERY, BACK_EVERY = 50, 10, 20

--- Where the wire lets it, a large body is longer than one read takes in.
local SMALL, LARGE = ("s"):rep(100), ("l"):rep(node.WIRE == 2 and 300000 or 60000)

--- How many questions an order adds.
local BURST = 200

local Load = {}
Load.__index = Load

--- Connections to all servers.
function Load:connect(addr)
	local peers = {}
	for index = 1, CONNECTIONS do
		peers[index] = cluster.connect(addr, { shared = false })
	end
	self.peers[addr] = peers
end

--- Any connection to any server.
function Load:any()
	local addr = self.servers[math.random(#self.servers)]
	return self.peers[addr][math.random(CONNECTIONS)]
end

--- Asks one question of the mix. True unless it was refused.
function Load:ask()
	local pages, peer = self.pages, self:any()
	if math.random(SEND_EVERY) == 1 then
		return asker.send(pages, peer, node.SEND, SMALL) ~= "refused"
	elseif math.random(BACK_EVERY) == 1 then
		return asker.call(pages, peer, node.BACK, SMALL) ~= "refused"
	end
	return asker.call(pages, peer, node.ECHO, math.random(LARGE_EVERY) == 1 and LARGE or SMALL) ~= "refused"
end

--- One of the callers.
function Load:caller()
	local due = time.monotonic()
	while not self.stopping do
		local answered = self:ask()
		local now = time.monotonic()
		if self.interval then
			due = math.max(due + self.interval, now - ARREARS)
			time.sleep(math.floor(math.max(0, due - now)))
		end
		if not answered then
			time.sleep(PAUSE)
		end
	end
end

--- Asks many questions at once, and waits for all of them.
local function burst(fn)
	local group = waitgroup.new()
	for _ = 1, BURST do
		group:fork(fn)
	end
	group:wait()
	return "done"
end

--- What the conductor may ask for.
function Load:orders()
	return {
		slow = function()
			return burst(function()
				asker.call(self.pages, self:any(), node.SLOW, SMALL, node.SLOW_PATIENCE)
			end)
		end,
		large = function()
			return burst(function()
				asker.call(self.pages, self:any(), node.ECHO, LARGE)
			end)
		end,
		back = function()
			return burst(function()
				asker.call(self.pages, self:any(), node.BACK, SMALL)
			end)
		end,
		reconnect = function()
			local addr = self.servers[math.random(#self.servers)]
			for _, peer in ipairs(self.peers[addr]) do
				cluster.close(peer)
			end
			self:connect(addr)
			return "done"
		end,
	}
end

--- Finds out what can be answered and paces the callers: for so many milliseconds they do not wait.
function Load:calibrate(length)
	local before = cluster.stats().responses_received
	time.sleep(length)
	local speed = (cluster.stats().responses_received - before) * 1000 / length
	self.interval = CALLERS * 1000 / (speed * SHARE)
	return speed
end

---@param options {books: string, number: integer, servers: string[], calibration: integer} where its
---  book is kept and which it is; whom to ask; milliseconds at full speed
function load.run(options)
	local pages = book.open(options.books, options.number)
	local self = setmetatable({ pages = pages, servers = options.servers, peers = {} }, Load)
	node.serve(pages, self:orders(), function(peer)
		asker.call(pages, peer, node.ECHO, "back")
	end)
	node.end_by_signal(pages, function()
		self.stopping = true
	end)
	task.fork(function()
		for _, addr in ipairs(options.servers) do
			self:connect(addr)
		end
		for _ = 1, CALLERS do
			task.fork(function()
				self:caller()
			end)
		end
		local speed = self:calibrate(options.calibration)
		print(("listening on %s, full speed %.0f"):format(assert(cluster.listen("127.0.0.1:0")).addr, speed))
	end)
end

return load
