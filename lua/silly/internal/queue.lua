--- First in, first out, at a constant cost: what lines and channels keep things in.
require "silly.internal.interpret" (true, true)

---@class silly.internal.queue
---@field package first integer the place of the oldest value
---@field package last integer the place of the newest
local queue = {}
queue.__index = queue

--- An empty queue.
---@return silly.internal.queue
function queue.new()
	return setmetatable({ first = 1, last = 0 }, queue)
end

--- How many there are.
---@return integer
function queue:len()
	return self.last - self.first + 1
end

--- Appends a value, which is not nil.
function queue:push(value)
	local last = self.last + 1
	self[last] = value -- before it is counted: where there is no memory for it nothing has changed
	self.last = last
end

--- The oldest value, which stays; nil when there is none.
function queue:first_value()
	return self[self.first]
end

--- Puts a value before all others.
function queue:unpop(value)
	local first = self.first - 1
	self[first] = value
	self.first = first
end

--- Takes the oldest value out; nil when there is none.
function queue:pop()
	local first = self.first
	local value = self[first]
	if value == nil then
		return nil
	end
	self[first] = nil
	if first == self.last then
		-- Indexes begin again, so that they stay small and the table an array.
		self.first, self.last = 1, 0
	else
		self.first = first + 1
	end
	return value
end

--- Drops all values but those which a function asks to keep.
---@param keep fun(value: any): boolean
function queue:retain(keep)
	local kept = self.first - 1
	for index = self.first, self.last do
		local value = self[index]
		self[index] = nil
		if keep(value) then
			kept = kept + 1
			self[kept] = value
		end
	end
	self.last = kept
end

--- Drops everything.
function queue:clear()
	for index = self.first, self.last do
		self[index] = nil
	end
	self.first, self.last = 1, 0
end

return queue
