--- First in, first out, at a constant cost: what the others of this folder wait in.

local queue = {}
queue.__index = queue

--- An empty queue.
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
	self.last = self.last + 1
	self[self.last] = value
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

--- Drops everything.
function queue:clear()
	for index = self.first, self.last do
		self[index] = nil
	end
	self.first, self.last = 1, 0
end

return queue
