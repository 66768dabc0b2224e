--- Locks by key: one task at a time holds a key, the others wait in the order they came.
--
-- A guard may be given to another task, so the end of a task by itself releases none. But one that
-- nobody can reach any more would be found only by the next collection, which in an idle process
-- never comes; so where somebody waits for a task that has ended, there is one at once.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local line = require "silly.internal.line"
local check = require "silly.internal.check"
require "silly.internal.interpret" (true, true)

if core.loaded.mutex then
	return core.loaded.mutex --[[@as { new: fun(): silly.sync.mutex }]]
end

--- A set of keys, each held by one task at most.
---@class silly.sync.mutex
---@field package locks table<any, table> what is held, by key
local mutex = {}
local mutex_mt = { __index = mutex, __name = "silly.sync.mutex" }

--- What holds a key until it is unlocked; as a `<close>` variable it unlocks at the end of the scope.
---@class silly.sync.mutex.guard
---@field package hold table the lock, until it is given back
local guard = {}

--- What stands for each task that has locked something. Not its thread, which a later task may
--- have, and through which a lock would keep the guards of a dropped task from being collected.
---@type table<thread, table>
local owners = setmetatable({}, { __mode = "k" })

local collect = collectgarbage or function() end -- some hosts take it away

--- Once its owner has ended and been closed: guards that it still has are garbage, or another's.
local function search(owner)
	if owner.holds > 0 then
		collect()
	end
end

local function retire(thread)
	local owner = owners[thread]
	if owner then
		owner.ended = true
		if owner.holds > 0 and owner.awaited then
			scheduler.fork(search, owner)
		end
		owners[thread] = nil -- last: it may be called again where memory fails in here
	end
end

scheduler.watch_returns(retire)
scheduler.watch(function(thread)
	retire(thread)
end)

--- Ends one hold of a lock. The last one hands the key to the next in line, or frees it. What may fail
--- for want of memory comes before anything has changed.
local function let_go(lock)
	if lock.holds > 1 then
		lock.holds = lock.holds - 1
		return
	end
	local awaited = lock.line and lock.line:len() > 1
	-- Straight to the heir: whoever locks again at once queues behind those that waited.
	local heir = lock.line and lock.line:hand(lock)
	if heir then
		local owner = owners[heir]
		lock.owner, lock.holds = owner, 1
		owner.awaited = owner.awaited or awaited
	else
		lock.locks[lock.key] = nil
	end
end

--- Ends a hold, if it has not ended.
local function release(hold)
	local lock = hold.lock
	if lock then
		let_go(lock)
		hold.lock = false
		hold.owner.holds = hold.owner.holds - 1
	end
end

--- Gives the key back. A second time is no mistake.
function guard:unlock()
	check.that(type(self) == "table" and self.hold, "guard:unlock", "the first argument", "a guard of mutex:lock", self)
	release(self.hold)
end

local guard_mt = {
	__index = guard,
	__name = "silly.sync.mutex.guard",
	-- The end of a scope, an error, the end of the task: 5.4 and later.
	__close = guard.unlock,
	-- A guard that nobody can reach any more.
	__gc = guard.unlock,
}

local newproxy = rawget(_G, "newproxy")

--- A guard that holds nothing yet. It is made before anything is locked: what is locked has one.
local function new_guard(owner)
	local hold = { lock = false, owner = owner }
	local made = setmetatable({ hold = hold }, guard_mt)
	if newproxy then
		-- 5.1 and LuaJIT do not finalise tables: a userdata that only the guard knows stands in.
		made.proxy = newproxy(true)
		getmetatable(made.proxy).__gc = function()
			release(hold)
		end
	end
	return made
end

--- Waits until the current task holds the key. The task that holds it may lock it again; the key
--- is free once every guard is released: by `unlock`, or by `<close>` where Lua has it. One that is
--- neither is released when it is collected, and the collector is asked when somebody waits for it.
---@async
---@param key any not nil; keys of different mutexes have nothing to do with each other
---@return silly.sync.mutex.guard guard for `guard:unlock()`, or `local guard <close> = m:lock(key)`
function mutex:lock(key)
	check.that(getmetatable(self) == mutex_mt, "mutex:lock", "the first argument", "a mutex, as in m:lock(key)", self)
	if key == nil then
		error("mutex:lock: the key must not be nil", 2)
	end
	local current = scheduler.task("mutex:lock")
	local owner = owners[current]
	if not owner then
		owner = { holds = 0, awaited = false, ended = false }
		owners[current] = owner
	end
	local made = new_guard(owner)
	local locks = self.locks
	local lock = locks[key]
	if lock and lock.owner.ended and not lock.searched then
		lock.searched = true
		collect()
		lock = locks[key]
	end
	if not lock then
		lock = { locks = locks, key = key, owner = owner, holds = 1 }
		locks[key] = lock
	elseif lock.owner == owner then
		lock.holds = lock.holds + 1
	else
		lock.line = lock.line or line.new("silly.sync.mutex", lock, let_go)
		lock.owner.awaited = true
		lock.line:wait(current) -- whoever hands the key on has made this task its owner
	end
	made.hold.lock = lock
	owner.holds = owner.holds + 1
	return made
end

local module = {}
core.loaded.mutex = module

--- A mutex of which no key is held.
---@return silly.sync.mutex mutex
function module.new()
	return setmetatable({ locks = {} }, mutex_mt)
end

return module
