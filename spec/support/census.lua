--- Counts the entries of every table that this Lua state can reach, so that one that stays behind
--- somewhere shows wherever it is.

--- Everything that a value leads to.
local function neighbours(value, visit)
	local kind = type(value)
	if kind == "table" then
		for key, other in next, value do
			visit(key)
			visit(other)
		end
	elseif kind == "function" then
		local index, name, upvalue = 1, debug.getupvalue(value, 1)
		while name do
			visit(upvalue)
			index = index + 1
			name, upvalue = debug.getupvalue(value, index)
		end
	elseif kind == "thread" then
		local level = 0
		while debug.getinfo(value, level, "l") do
			visit(debug.getinfo(value, level, "f").func)
			local index, name, inner = 1, debug.getlocal(value, level, 1)
			while name do
				visit(inner)
				index = index + 1
				name, inner = debug.getlocal(value, level, index)
			end
			level = level + 1
		end
	end
	visit(debug.getmetatable(value))
end

local LEADS_ON = { table = true, ["function"] = true, thread = true, userdata = true }

--- How many entries there are, once all garbage is gone.
return function()
	collectgarbage()
	collectgarbage()
	local entries, queue, seen = 0, {}, {}
	seen[queue], seen[seen] = true, true
	local function visit(value)
		if LEADS_ON[type(value)] and not seen[value] then
			seen[value] = true
			queue[#queue + 1] = value
		end
	end
	visit(debug.getregistry())
	while #queue > 0 do
		local value = table.remove(queue)
		if type(value) == "table" then
			for _ in next, value do
				entries = entries + 1
			end
		end
		neighbours(value, visit)
	end
	return entries
end
