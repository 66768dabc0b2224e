--- When faults were at work, and how long answers took then and otherwise.

local socket = require "socket"

local weather = {}

--- Faults remembered: more than can be at work during one call.
local REMEMBERED = 50

--- Buckets for each doubling of a latency.
local FINENESS = 32

local Latency = {}
Latency.__index = Latency

local function latency()
	return setmetatable({ buckets = {}, count = 0, most = 0 }, Latency)
end

--- Adds one, in seconds.
function Latency:add(seconds)
	-- Below a microsecond all is one.
	local bucket = math.floor(math.log(math.max(seconds * 1e6, 1)) / math.log(2) * FINENESS)
	self.buckets[bucket] = (self.buckets[bucket] or 0) + 1
	self.count = self.count + 1
	self.most = math.max(self.most, seconds)
end

--- The latency in seconds that a share of all stays below.
function Latency:quantile(share)
	local buckets = {}
	for bucket in pairs(self.buckets) do
		buckets[#buckets + 1] = bucket
	end
	table.sort(buckets)
	local left = self.count * share
	for _, bucket in ipairs(buckets) do
		left = left - self.buckets[bucket]
		if left <= 0 then
			return math.min(2 ^ ((bucket + 1) / FINENESS) / 1e6, self.most)
		end
	end
	return 0
end

local Weather = {}
Weather.__index = Weather

---@param aftermath integer milliseconds for which a fault is felt after it has been taken back
function weather.new(aftermath)
	return setmetatable({
		aftermath = aftermath / 1000,
		faults = {}, -- the last ones: {began, ended}
		counts = {}, -- all of them, by kind
		count = 0,
		quiet = latency(),
		rough = latency(),
	}, Weather)
end

--- A fault of a kind is about to be injected. The function that is returned tells its end.
function Weather:begin(kind)
	local fault = { began = socket.gettime(), ended = math.huge }
	self.counts[kind] = (self.counts[kind] or 0) + 1
	self.count = self.count + 1
	table.insert(self.faults, fault)
	if #self.faults > REMEMBERED then
		table.remove(self.faults, 1)
	end
	return function()
		fault.ended = socket.gettime() + self.aftermath
	end
end

--- Whether no fault was at work for any part of a time.
function Weather:was_quiet(began, ended)
	for _, fault in ipairs(self.faults) do
		if fault.began < ended and fault.ended > began then
			return false
		end
	end
	return true
end

--- Takes in how long an answer took.
function Weather:answered(began, ended)
	local one = self:was_quiet(began, ended) and self.quiet or self.rough
	one:add(ended - began)
end

return weather
