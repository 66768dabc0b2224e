--- Durations, counted by size: eight classes for each doubling, so that what is read back is at most
--- 9 % too long, whatever the number of durations.

local histogram = {}

local Histogram = {}
Histogram.__index = Histogram

local CLASSES = 8
--- The last class, from 17 minutes on.
local LAST = 30 * CLASSES
local LOG2 = math.log(2)

local floor, log, max = math.floor, math.log, math.max

--- An empty one.
function histogram.new()
	return setmetatable({ count = 0, longest = 0, classes = {} }, Histogram)
end

--- Counts a duration, in microseconds.
function Histogram:add(microseconds)
	local class = microseconds <= 1 and 0 or floor(log(microseconds) / LOG2 * CLASSES)
	class = class > LAST and LAST or class
	local classes = self.classes
	classes[class] = (classes[class] or 0) + 1
	self.count = self.count + 1
	if microseconds > self.longest then
		self.longest = microseconds
	end
end

--- The duration that this share of all does not exceed, in microseconds; 0 without any.
---@param share number 0.99 for the 99th percentile
function Histogram:percentile(share)
	local wanted, seen = max(1, math.ceil(self.count * share)), 0
	for class = 0, LAST do
		seen = seen + (self.classes[class] or 0)
		if seen >= wanted then
			return math.min(2 ^ ((class + 1) / CLASSES), self.longest)
		end
	end
	return 0
end

--- A list that can travel: a class, how many it has, and so on.
function Histogram:export()
	local list = {}
	for class = 0, LAST do
		if self.classes[class] then
			list[#list + 1] = class
			list[#list + 1] = self.classes[class]
		end
	end
	return list
end

--- What has been counted between two lists. How long the longest one was is known by its class.
---@param list integer[]
---@param earlier integer[]?
function histogram.between(list, earlier)
	local self, before = histogram.new(), {}
	for index = 1, #(earlier or {}), 2 do
		before[earlier[index]] = earlier[index + 1]
	end
	for index = 1, #list, 2 do
		local class = list[index]
		local count = list[index + 1] - (before[class] or 0)
		if count > 0 then
			self.classes[class] = count
			self.count = self.count + count
			self.longest = 2 ^ ((class + 1) / CLASSES)
		end
	end
	return self
end

return histogram
