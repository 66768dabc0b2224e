--- Values from many tasks to one: pushing never waits, popping does.

local scheduler = require "silly.internal.scheduler"
local check = require "silly.internal.check"
local line = require "silly.internal.line"
local queue = require "silly.internal.queue"
require "silly.internal.interpret" (true, true)

--- A queue of values that one task reads.
---@class silly.sync.channel
---@field package line silly.internal.line who waits for a value
---@field package values silly.internal.queue what nobody has popped
---@field package reason string? of the close, once it is closed
local channel = {}
local mt = { __index = channel, __name = "silly.sync.channel" }

local A_CHANNEL = "a channel, as in ch:pop()"

local function is_channel(value)
	return getmetatable(value) == mt
end

--- What a waiting pop is handed: a value, or the channel's end.
local CLOSED = {}

--- Sends a value, which is neither nil nor false. Never waits.
---@param value any neither nil nor false
---@return boolean ok false: it was not sent
---@return string? err the reason of the close, once closed; "nil data"
function channel:push(value)
	check.that(is_channel(self), "channel:push", "the first argument", A_CHANNEL, self)
	if self.reason then
		return false, self.reason
	elseif not value then
		return false, "nil data"
	end
	-- Handed over directly: no other pop can come in between.
	if not self.line:hand(value) then
		self.values:push(value)
	end
	return true, nil
end

--- A value comes back from a task that ended before it could take it: it is still the oldest.
local function take_back(self, value)
	if value ~= CLOSED and not self.line:hand(value) then
		self.values:unpop(value)
	end
end

--- Takes the oldest value, or waits for one. What was pushed before a close is still delivered.
---@async
---@return any? value
---@return string? err the reason of the close, once the channel is closed and empty; "channel is mpsc"
---  when another task waits on it already
function channel:pop()
	check.that(is_channel(self), "channel:pop", "the first argument", A_CHANNEL, self)
	local value = self.values:pop()
	if value ~= nil then
		return value, nil
	elseif self.reason then
		return nil, self.reason
	elseif self.line:first() then
		return nil, "channel is mpsc"
	end
	value = self.line:wait(scheduler.task("channel:pop"))
	if value == CLOSED then
		return nil, self.reason
	end
	return value, nil
end

--- Ends the channel. A second close replaces the reason.
---@param reason string? what push and pop say from then on; "channel closed" by default
function channel:close(reason)
	check.that(is_channel(self), "channel:close", "the first argument", A_CHANNEL, self)
	self.reason = reason or "channel closed"
	self.line:hand(CLOSED)
end

--- Drops what was pushed and not popped; a waiting task goes on waiting.
function channel:clear()
	check.that(is_channel(self), "channel:clear", "the first argument", A_CHANNEL, self)
	self.values:clear()
end

local module = {}

--- An empty, open channel.
---@return silly.sync.channel channel
function module.new()
	local made = { values = queue.new(), reason = false }
	made.line = line.new("silly.sync.channel", made, take_back)
	return setmetatable(made, mt)
end

return module
